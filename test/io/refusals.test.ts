/** Systems that refuse: a disk that is full, a limit of the process, an owner that cannot be given. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import test, { type TestFn } from "ava";
import { writeNewFile } from "../../lib/core/new-file.js";
import { versionOf, writeVersion } from "./versions.js";

const root = mkdtempSync(join(tmpdir(), "papo-refusals-"));
test.after.always(() => rmSync(root, { recursive: true }));

/** A thread does not inherit the loader of TypeScript; what `require` finds of it stands beside what `import` takes. */
const TSX = createRequire(import.meta.url)
  .resolve("tsx/esm/api")
  .replace(/c(?=js$)/, "m");

function place(name: string): { folder: string; path: string } {
  const folder = join(root, name);
  mkdirSync(folder);
  return { folder, path: join(folder, "x.safetensors") };
}

/** The child under a shell, which first does something to itself; what it says. */
function childAfter(first: string, path: string, wrapper: readonly string[] = []): unknown {
  const child = fileURLToPath(new URL("full-child.ts", import.meta.url));
  const line = `${first} && exec "$0" --import=tsx "$@"`;
  const [program = "sh", ...args] = [...wrapper, "sh", "-c", line, process.execPath, child, path];
  const { stdout, stderr, signal } = spawnSync(program, args, { encoding: "utf8" });
  if (signal !== null || stdout === "") throw new Error(`${signal}: ${stderr}`);
  return JSON.parse(stdout);
}

const NAMESPACE = ["unshare", "-rm"] as const;
const [unshare, ...flags] = NAMESPACE;
const canMount =
  process.platform === "linux" &&
  spawnSync(unshare, [...flags, "mount", "-t", "tmpfs", "none", root]).status === 0;
const withMounts = (canMount ? test : test.skip) as TestFn;
const withLimits = (process.platform === "win32" ? test.skip : test) as TestFn;

withMounts("on a file system without room the old file stays, and nothing else", (t) => {
  const { folder, path } = place("full");
  const mount = `mount -t tmpfs -o size=256k none '${folder}'`;
  t.deepEqual(childAfter(mount, path, NAMESPACE), {
    outcomes: ["true ERR_FILE ENOSPC", "false ENOSPC ENOSPC"],
    old: "old",
    left: [],
  });
});

withLimits("beyond the largest file that the process may write, too", (t) => {
  const { path } = place("limit");
  // Blocks of 512 bytes, or of 1024 in some shells.
  t.deepEqual(childAfter("ulimit -f 512", path), {
    outcomes: ["true ERR_FILE EFBIG", "false EFBIG EFBIG"],
    old: "old",
    left: [],
  });
});

/** Puts `chown` of file handles in the place of the system's, which the superuser is never refused. */
async function withChown(chown: (uid: number, gid: number) => void, act: () => Promise<void>) {
  const handle = await open(process.execPath);
  const ofHandles = Object.getPrototypeOf(handle);
  const { stat: original } = ofHandles;
  const { chown: system } = ofHandles;
  await handle.close();
  // What is written seems to be somebody else's.
  ofHandles.stat = async () => ({ uid: -2, gid: -2 });
  ofHandles.chown = async (uid: number, gid: number) => chown(uid, gid);
  try {
    await act();
  } finally {
    Object.assign(ofHandles, { stat: original, chown: system });
  }
}

const EPERM = (): never => {
  throw Object.assign(new Error("EPERM: operation not permitted, fchown"), { code: "EPERM" });
};
/** Permissions before, and after: with neither given, without the owner alone, without the group alone. */
const RIGHTS = [
  [0o664, 0o644, 0o664, 0o644],
  [0o660, 0o600, 0o660, 0o600],
  [0o604, 0o600, 0o604, 0o600],
  [0o640, 0o600, 0o640, 0o600],
  [0o646, 0o644, 0o646, 0o644],
  [0o266, 0o222, 0o222, 0o266],
  [0o644, 0o644, 0o644, 0o644],
] as const;

test.serial("nobody gains rights where owner or group cannot be kept", async (t) => {
  const { path } = place("rights");
  const refusals = [
    EPERM,
    (uid: number) => (uid === -1 ? undefined : EPERM()),
    (_: number, gid: number) => (gid === -1 ? undefined : EPERM()),
  ];
  for (const [before, ...after] of RIGHTS) {
    for (const [i, refuse] of refusals.entries()) {
      writeFileSync(path, "old");
      chmodSync(path, before);
      await withChown(refuse, () => writeNewFile(path, Buffer.from("new")));
      const { mode } = await stat(path);
      t.is(
        (mode & 0o777).toString(8),
        (after[i] as number).toString(8),
        `${before.toString(8)}, ${i}`,
      );
      rmSync(path);
    }
  }
});

test.serial(
  "where Node forbids to change permissions and to synchronise, a file is made with them",
  async (t) => {
    const { folder, path } = place("permission");
    writeFileSync(path, "old");
    chmodSync(path, 0o640);
    const handle = await open(process.execPath);
    const ofHandles = Object.getPrototypeOf(handle);
    await handle.close();
    const { chmod, sync } = ofHandles;
    const forbidden = async () => {
      throw Object.assign(new Error("API is disabled"), { code: "ERR_ACCESS_DENIED" });
    };
    Object.assign(ofHandles, { chmod: forbidden, sync: forbidden });
    try {
      await writeNewFile(path, Buffer.from("new"));
    } finally {
      Object.assign(ofHandles, { chmod, sync });
    }
    t.is(readFileSync(path, "utf8"), "new");
    t.is(statSync(path).mode & 0o777, 0o640 & ~process.umask());
    t.deepEqual(readdirSync(folder), ["x.safetensors"]);
  },
);

test.serial("owner and group are kept where that is allowed", async (t) => {
  const { path } = place("owner");
  writeFileSync(path, "old");
  chmodSync(path, 0o664);
  const { uid, gid } = statSync(path);
  const given: (readonly [number, number])[] = [];
  await withChown(
    (...ids) => void given.push(ids),
    () => writeNewFile(path, Buffer.from("new")),
  );
  t.deepEqual(given, [
    [-1, gid],
    [uid, -1],
  ]);
  t.is(statSync(path).mode & 0o777, 0o664);
});

test("a worker that is terminated while it writes leaves the old file, and its temporary one", async (t) => {
  const { folder, path } = place("worker");
  await writeVersion(path, 1);
  const url = JSON.stringify(new URL("../../lib/core/new-file.ts", import.meta.url));
  const code = `
    import(${JSON.stringify(pathToFileURL(TSX).href)}).then(async (tsx) => {
      tsx.register();
      const { NewFile } = await import(${url});
      const file = await NewFile.create(${JSON.stringify(path)});
      await file.handle.writeFile("half of it");
      require("node:worker_threads").parentPort.postMessage("written");
      setInterval(() => {}, 1000);
    });`;
  const worker = new Worker(code, { eval: true });
  await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  await worker.terminate();
  t.is(await versionOf(path), 1);
  const [left, ...others] = readdirSync(folder).filter((name) => name !== "x.safetensors");
  t.regex(left ?? "", /^x\.safetensors\.\d+-[0-9a-f]{8}\.tmp$/);
  t.deepEqual(others, []);
});
