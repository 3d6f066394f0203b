/** The reader of binaries: against another one, and against files that are no longer what they were. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestFn } from "ava";
import { objectionToFile } from "../../lib/addon/binary-file.js";
import { diagnose } from "../../lib/addon/diagnosis.js";
import { ElfFile } from "../../lib/addon/elf.js";
import { libcOfNeeds, libcOfProcess } from "../../lib/addon/libc.js";
import { addon } from "../../lib/addon/load.js";
import { compiled, glibcVersion, HAS_COMPILER, PLAIN_LIBRARY, STRANGER } from "./broken-addons.js";
import { sectionsOf } from "./elf-sections.js";

const folder = mkdtempSync(join(tmpdir(), "papo-elf-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const onLinux = (process.platform === "linux" ? test : test.skip) as TestFn;
const withCompiler = (process.platform === "linux" && HAS_COMPILER ? test : test.skip) as TestFn;

onLinux("needs and versions are those of the section headers too", (t) => {
  using elf = new ElfFile(addon().path);
  const { needed, versionsNeeded, versionsDefined } = elf.links();
  t.true(needed.some((name) => name.startsWith("libc.")));
  t.deepEqual(versionsDefined, []);
  t.is(elf.bytes, elf.expectedBytes);
  t.deepEqual({ needed, versionsNeeded }, sectionsOf(addon().path));
});

onLinux("a library's own versions are found", (t) => {
  if (libcOfProcess() !== "glibc" || !HAS_COMPILER) return t.pass("no libc with versions to ask");
  const name = execFileSync("cc", ["-print-file-name=libc.so.6"], { encoding: "utf8" }).trim();
  using libc = new ElfFile(name);
  const { versionsDefined } = libc.links();
  t.true(versionsDefined.includes(`GLIBC_${glibcVersion()}`), `${versionsDefined}`);
  t.false(versionsDefined.includes("GLIBC_2.99"));
});

onLinux("a program that names musl's loader runs on musl", (t) => {
  const bytes = readFileSync(process.execPath);
  using elf = new ElfFile(process.execPath);
  const interpreter = elf.interpreter();
  if (interpreter === undefined) return t.pass("a static program");
  const path = join(folder, "program");
  // The beginning is enough: its name stands in the first page.
  const beginning = Buffer.from(bytes.subarray(0, 1 << 16));
  const musl = "/lib/ld-musl-x86_64.so.1".slice(0, interpreter.length);
  beginning.write(musl.padEnd(interpreter.length, "\0"), beginning.indexOf(interpreter));
  writeFileSync(path, beginning);
  t.is(libcOfProcess(path), "musl");
  t.is(libcOfProcess(join(folder, "none")), undefined);
});

test("needs tell the C library of a binary", (t) => {
  t.is(libcOfNeeds(["libm.so.6", "libc.so.6"]), "glibc");
  t.is(libcOfNeeds(["libstdc++.so.6", "libc.musl-aarch64.so.1"]), "musl");
  t.is(libcOfNeeds(["libc.so"]), "musl");
  t.is(libcOfNeeds([]), undefined);
});

withCompiler("a damaged file never breaks the reader", (t) => {
  const path = join(folder, "damaged.node");
  const whole = readFileSync(compiled(join(folder, "whole.node"), STRANGER));
  let seed = 12345;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  let objections = 0;
  for (let round = 0; round < 600; ++round) {
    const bytes = Buffer.from(whole.subarray(0, round % 3 ? whole.length : random(whole.length)));
    // Most of them in the tables at the beginning.
    for (let i = random(8); i > 0 && bytes.length > 0; --i) {
      bytes[random(i % 2 ? Math.min(1024, bytes.length) : bytes.length)] = random(256);
    }
    writeFileSync(path, bytes);
    const objection = objectionToFile(path);
    if (objection) ++objections;
    t.true(objection === undefined || objection.reason.length > 0);
    t.true(diagnose(path, new Error("something")).reason.length > 0);
  }
  t.true(objections > 100 && objections < 600, `${objections}`);
});

withCompiler("a whole library gives no reason not to try it", (t) => {
  t.is(objectionToFile(compiled(join(folder, "plain.node"), PLAIN_LIBRARY)), undefined);
  const path = join(folder, "copy.node");
  copyFileSync(addon().path, path);
  t.is(objectionToFile(path), undefined);
});

/** First bytes of binaries, where they run, and where they do not. */
const headers: Record<string, readonly [number[], platform: string, processor: string]> = {
  "macOS on arm64": [[0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1], "darwin", "arm64"],
  "macOS on x64": [[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1], "darwin", "x64"],
  "Windows on x64": [
    [0x4d, 0x5a, ...Array(58).fill(0), 64, 0, 0, 0, 0x50, 0x45, 0, 0, 0x64, 0x86],
    "win32",
    "x64",
  ],
};

for (const [title, [bytes, platform, processor]] of Object.entries(headers)) {
  test(`a binary for ${title} is known by its first bytes`, (t) => {
    const path = join(folder, `${title}.node`);
    writeFileSync(path, Uint8Array.from([...bytes, ...Array(200).fill(0)]));
    t.is(objectionToFile(path, platform, processor), undefined);
    t.deepEqual(objectionToFile(path, "linux", "x64"), {
      problem: "platform",
      reason: `built for ${title}, this is linux on x64`,
    });
    t.is(objectionToFile(path, platform, "ia32")?.problem, "platform");
  });
}

test("a universal binary of macOS runs on each of its processors", (t) => {
  const path = join(folder, "universal.node");
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32BE(0xcafebabe, 0);
  bytes.writeUInt32BE(2, 4);
  bytes.writeUInt32BE(0x01000007, 8);
  bytes.writeUInt32BE(0x0100000c, 28);
  writeFileSync(path, bytes);
  t.is(objectionToFile(path, "darwin", "x64"), undefined);
  t.is(objectionToFile(path, "darwin", "arm64"), undefined);
  t.is(
    objectionToFile(path, "linux", "x64")?.reason,
    "built for macOS on x64 and arm64, this is linux on x64",
  );
});
