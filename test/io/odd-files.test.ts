/** Paths at which there is something else than a file that stays as it is. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestFn } from "ava";
import { objectionToFile } from "../../lib/addon/binary-file.js";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import { safetensorsBytes } from "../support/safetensors-bytes.js";

const folder = mkdtempSync(join(tmpdir(), "papo-odd-"));
test.after.always(() => rmSync(folder, { recursive: true }));

const HEADER = '{"x":{"dtype":"U8","shape":[4,2],"data_offsets":[0,8]}}';
function fileOf(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, safetensorsBytes(HEADER, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
  return path;
}

/** A pipe; undefined where there are none. */
function pipe(name: string): string | undefined {
  try {
    execFileSync("mkfifo", [join(folder, name)]);
    return join(folder, name);
  } catch {
    return undefined;
  }
}

test("what is no plain file is refused at once, not waited for", async (t) => {
  mkdirSync(join(folder, "folder"));
  symlinkSync(join(folder, "loop"), join(folder, "loop"));
  symlinkSync(join(folder, "nowhere"), join(folder, "dangling"));
  const server = createServer().listen(join(folder, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  const devices = ["/dev/zero", "/dev/null", "/dev/stdin", "/dev/tty"].filter((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat !== undefined && !stat.isFile();
  });
  const paths = ["folder", "loop", "dangling", "socket", "missing", "missing/x", "", "a\0b"];
  for (const path of [...paths.map((name) => name && join(folder, name)), ...devices]) {
    await t.throwsAsync(SafetensorsFile.open(path), { name: "PapoError", code: "ERR_FILE" }, path);
    t.truthy(objectionToFile(path), path);
  }
  const waiting = pipe("pipe");
  if (waiting !== undefined) {
    await t.throwsAsync(SafetensorsFile.open(waiting), { code: "ERR_FILE", message: /regular/ });
    t.is(objectionToFile(waiting)?.problem, "unreadable");
  }
  server.close();
});

test.serial("a pipe that takes a file's place after the look is not waited for", async (t) => {
  const path = pipe("late");
  if (path === undefined) return t.pass("no pipes here");
  const { stat } = promises;
  promises.stat = (async () => stat(process.execPath)) as unknown as typeof stat;
  syncBuiltinESMExports();
  try {
    await t.throwsAsync(SafetensorsFile.open(path), { code: "ERR_FILE", message: /regular/ });
  } finally {
    promises.stat = stat;
    syncBuiltinESMExports();
  }
});

/** The superuser may read everything. */
const unlessRoot = (process.getuid?.() === 0 ? test.skip : test) as TestFn;

unlessRoot("a file without permission says so", async (t) => {
  const path = fileOf("secret");
  chmodSync(path, 0);
  await t.throwsAsync(SafetensorsFile.open(path), { code: "ERR_FILE", message: /EACCES/ });
});

test("a file that shrinks, grows or is removed while it is open", async (t) => {
  const path = fileOf("moving");
  await using file = await SafetensorsFile.open(path);
  appendFileSync(path, "more");
  t.deepEqual(await file.read("x"), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  rmSync(path);
  t.deepEqual(await file.readRows("x", 3, 1), Uint8Array.of(7, 8));
  const again = fileOf("moving");
  await using other = await SafetensorsFile.open(again);
  truncateSync(again, 8 + HEADER.length + 3);
  t.deepEqual(await other.readRows("x", 0, 1), Uint8Array.of(1, 2));
  await t.throwsAsync(other.readRows("x", 1, 1), { code: "ERR_FILE", message: /became shorter/ });
  truncateSync(again, 0);
  await t.throwsAsync(other.read("x"), { code: "ERR_FILE", message: /became shorter/ });
});

test("a file of more bytes than there is memory opens, and its rows can be read", async (t) => {
  const path = join(folder, "huge");
  const rows = 2 ** 30;
  const bytes = rows * 4096;
  const header = `{"x":{"dtype":"U8","shape":[${rows},4096],"data_offsets":[0,${bytes}]}}`;
  const start = safetensorsBytes(header);
  writeFileSync(path, start);
  try {
    // A file with a hole: it takes no room on the disk.
    truncateSync(path, start.length + bytes);
  } catch {
    return t.pass("this file system has no files of 4 TiB");
  }
  await using file = await SafetensorsFile.open(path);
  t.deepEqual(await file.readRows("x", rows - 1, 1), new Uint8Array(4096));
});
