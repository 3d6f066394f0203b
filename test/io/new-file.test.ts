/** A file is the old one or the new one: killed at any step, without room, under links, and with others at it. */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type TestFn } from "ava";
import { NewFile, writeNewFile } from "../../lib/core/new-file.js";
import { SafetensorsWriter } from "../../lib/io/safetensors-writer.js";
import { versionOf, writeVersion } from "./versions.js";

const root = mkdtempSync(join(tmpdir(), "papo-new-file-"));
test.after.always(() => rmSync(root, { recursive: true }));

let folders = 0;
function place(): { folder: string; path: string } {
  const folder = join(root, String(folders++));
  mkdirSync(folder);
  return { folder, path: join(folder, "x.safetensors") };
}

const TEMPORARY = /^x\.safetensors\.\d+-[0-9a-f]{8}\.tmp$/;
const CHILD = fileURLToPath(new URL("writer-child.ts", import.meta.url));

/** Runs the child; what it printed, or the signal that ended it. */
function child(...args: (string | number)[]): Promise<string> {
  const command = ["--import=tsx", CHILD, ...args.map(String)];
  const running = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  running.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  return new Promise((resolve) => {
    running.once("close", (_, signal) => resolve(signal ?? said.trim()));
  });
}

test("killed before any of its steps, a writer leaves the old file or the new one", async (t) => {
  const { path } = place();
  await writeVersion(path, 1);
  const steps = Number(await child(path, 2, -1));
  t.is(await versionOf(path), 2);
  t.true(steps >= 10, "open, chmod, header, size, three pieces, sync, rename, the folder");
  const left = await Promise.all(
    Array.from({ length: steps }, async (_, step) => {
      const { folder, path } = place();
      await writeVersion(path, 1);
      t.is(await child(path, 2, step), "SIGKILL");
      const others = readdirSync(folder).filter((name) => name !== "x.safetensors");
      t.true(others.every((name) => TEMPORARY.test(name)) && others.length <= 1, others.join());
      const version = await versionOf(path);
      // Whoever comes next is not kept from it.
      await writeVersion(path, 3);
      t.is(await versionOf(path), 3);
      return { version, others: others.length };
    }),
  );
  const versions = left.map(({ version }) => version);
  t.deepEqual(versions, [...versions].sort(), "old before the rename, new after it");
  t.is(versions[0], 1);
  t.is(versions.at(-1), 2);
  for (const { version, others } of left) if (version === 2) t.is(others, 0);
});

test("writers of one file at once: one of them wins as a whole, and nothing else is left", async (t) => {
  const { folder, path } = place();
  await Promise.all(Array.from({ length: 12 }, (_, i) => writeVersion(path, i)));
  const version = await versionOf(path);
  t.true(version >= 0 && version < 12);
  t.deepEqual(readdirSync(folder), ["x.safetensors"]);
});

// The disk refuses: one step of the system fails, as on a full disk.
for (const name of ["write", "truncate", "sync"] as const) {
  test.serial(`where ${name} fails, the old file stays and nothing else`, async (t) => {
    const { folder, path } = place();
    await writeVersion(path, 1);
    const handle = await open(process.execPath);
    const ofHandles = Object.getPrototypeOf(handle);
    await handle.close();
    const original = ofHandles[name];
    ofHandles[name] = async () => {
      throw new Error("ENOSPC: no space left on device");
    };
    try {
      await t.throwsAsync(writeVersion(path, 2), { code: "ERR_FILE", message: /ENOSPC/ });
    } finally {
      ofHandles[name] = original;
    }
    t.is(await versionOf(path), 1);
    t.deepEqual(readdirSync(folder), ["x.safetensors"]);
  });
}

test.serial("a disk that takes no byte and says nothing is an error too", async (t) => {
  const { folder, path } = place();
  const handle = await open(process.execPath);
  const ofHandles = Object.getPrototypeOf(handle);
  await handle.close();
  const original = ofHandles.write;
  ofHandles.write = async () => ({ bytesWritten: 0 });
  try {
    await t.throwsAsync(writeVersion(path, 2), { code: "ERR_FILE", message: /no byte/ });
  } finally {
    ofHandles.write = original;
  }
  t.deepEqual(readdirSync(folder), []);
});

test.serial("a disk that takes a part at a time gets the rest behind it", async (t) => {
  const { path } = place();
  await writeVersion(path, 2);
  const whole = readFileSync(path);
  const handle = await open(process.execPath);
  const ofHandles = Object.getPrototypeOf(handle);
  await handle.close();
  const original = ofHandles.write;
  let writes = 0;
  ofHandles.write = function (bytes: Uint8Array, at: number, length: number, position: number) {
    writes++;
    return original.call(this, bytes, at, Math.min(length, 1000), position);
  };
  try {
    await writeVersion(path, 2);
  } finally {
    ofHandles.write = original;
  }
  t.true(writes > whole.length / 1000);
  t.deepEqual(readFileSync(path), whole);
});

test("what is replaced gives its permissions", async (t) => {
  const { path } = place();
  writeFileSync(path, "private");
  chmodSync(path, 0o640);
  await writeVersion(path, 1);
  t.is(statSync(path).mode & 0o777, 0o640);
  chmodSync(path, 0o666);
  await writeVersion(path, 2);
  t.is(statSync(path).mode & 0o777, 0o666, "whatever the umask");
});

/** The superuser may write everything. */
const unlessRoot = (process.getuid?.() === 0 ? test.skip : test) as TestFn;

unlessRoot("a file that may not be written is not replaced", async (t) => {
  const { folder, path } = place();
  writeFileSync(path, "kept");
  chmodSync(path, 0o444);
  await t.throwsAsync(writeVersion(path, 1), { code: "ERR_FILE", message: /EACCES/ });
  t.is(readFileSync(path, "utf8"), "kept");
  t.deepEqual(readdirSync(folder), ["x.safetensors"]);
});

test("a link to nothing, and one to itself, are refused and stay", async (t) => {
  const { folder, path } = place();
  symlinkSync(join(folder, "nowhere"), path);
  await t.throwsAsync(writeVersion(path, 1), {
    code: "ERR_FILE",
    message: /a link to .*nowhere, which is not there$/,
  });
  t.true(lstatSync(path).isSymbolicLink());
  rmSync(path);
  symlinkSync(path, path);
  await t.throwsAsync(writeVersion(path, 1), { code: "ERR_FILE", message: /ELOOP/ });
  t.deepEqual(readdirSync(folder), ["x.safetensors"]);
});

test("links to a folder on the way are followed; other names keep the old file", async (t) => {
  const { folder, path } = place();
  mkdirSync(join(folder, "real"));
  symlinkSync(join(folder, "real"), join(folder, "link"));
  await writeVersion(join(folder, "link", "x.safetensors"), 1);
  const real = join(folder, "real", "x.safetensors");
  t.is(await versionOf(real), 1);
  linkSync(real, path);
  await writeVersion(real, 2);
  t.is(await versionOf(path), 1);
});

test("a name as long as the system allows can be written", async (t) => {
  const { folder } = place();
  for (const name of ["x".repeat(255), "é".repeat(127), "😀".repeat(63)]) {
    const path = join(folder, name);
    await writeVersion(path, 1);
    t.is(await versionOf(path), 1);
  }
  t.is(readdirSync(folder).length, 3);
});

test("devices, sockets and pipes are no files to replace", async (t) => {
  await t.throwsAsync(SafetensorsWriter.create("/dev/null", {}), {
    code: "ERR_FILE",
    message: /no plain file: \/dev\/null/,
  });
  t.true(statSync("/dev/null").isCharacterDevice());
});

test("wherever the process goes, the file is where its path led when it was begun", async (t) => {
  const { path } = place();
  const name = relative(process.cwd(), path);
  for (const version of ["new", "replaced"]) {
    const file = await NewFile.create(name);
    t.true(isAbsolute(file.target), version);
    await file.handle?.writeFile(version);
    await file.finish();
    t.is(readFileSync(path, "utf8"), version);
  }
});

test("whole files are written the same way", async (t) => {
  const { folder, path } = place();
  await writeNewFile(path, Buffer.from("one"));
  await writeNewFile(path, Buffer.from("two"));
  t.is(readFileSync(path, "utf8"), "two");
  const file = await NewFile.create(path);
  t.is(readdirSync(folder).length, 2);
  await file.abandon();
  await file.abandon();
  t.is(file.handle, undefined);
  t.deepEqual(readdirSync(folder), ["x.safetensors"]);
  await t.throwsAsync(writeNewFile(join(folder, "no", "x"), Buffer.alloc(1)), { code: "ENOENT" });
  t.false(existsSync(join(folder, "no")));
});

test("at the end of the process what cannot be removed keeps nothing else from being removed", (t) => {
  const { folder } = place();
  const program = `
    import { mkdirSync, readdirSync, rmSync } from "node:fs";
    import { isAbsolute, join, relative } from "node:path";
    import { NewFile } from ${JSON.stringify(new URL("../../lib/core/new-file.ts", import.meta.url))};
    const [folder] = process.argv.slice(1);
    await NewFile.create(join(folder, "first"));
    const [first] = readdirSync(folder);
    await NewFile.create(join(folder, "second"));
    rmSync(join(folder, first));
    mkdirSync(join(folder, first));
    process.exit(3);
  `;
  const flags = ["--import=tsx", "--input-type=module", "--eval", program];
  const { status, stderr } = spawnSync(process.execPath, [...flags, folder], { encoding: "utf8" });
  t.is(status, 3, stderr);
  t.deepEqual(
    readdirSync(folder).map((name) => name.replace(/\..*/, "")),
    ["first"],
  );
});
