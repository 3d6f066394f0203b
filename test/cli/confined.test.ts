/** The built command with as little as it needs: Node's permissions, and what the system is asked for. */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type TestFn } from "ava";
import { goldenPath } from "../support/golden.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(ROOT, "dist/cli/main.js");
const BATCH = goldenPath("tiny-plain-papo_d");
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const PERMISSION =
  major > 23 || (major === 23 && minor >= 5) || (major === 22 && minor >= 13)
    ? "--permission"
    : "--experimental-permission";

const whenBuilt = (existsSync(MAIN) ? test : test.skip) as TestFn;
/** strace may be absent, or forbidden in a container. */
const mayTrace = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
const whenTraced = mayTrace ? whenBuilt : (test.skip as TestFn);

const root = realpathSync(mkdtempSync(join(tmpdir(), "papo-confined-")));
test.after.always(() => rmSync(root, { recursive: true }));

const COMMANDS = (out: string): Readonly<Record<string, readonly string[]>> => ({
  info: ["info", "--json"],
  loss: ["loss", BATCH, "--json"],
  "loss --out": ["loss", BATCH, "--out", join(out, "x.safetensors"), "--json"],
  check: ["check", BATCH, "--json"],
});

function folderOf(name: string): string {
  const folder = join(root, name);
  mkdirSync(folder);
  return folder;
}

whenBuilt(
  "info, loss and check need the package and the batch to read, and --out its folder",
  (t) => {
    const out = folderOf("permissions");
    for (const [name, args] of Object.entries(COMMANDS(out))) {
      const wantsOut = args.includes("--out");
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [
          ...["--no-warnings", PERMISSION, "--allow-addons", `--allow-fs-read=${ROOT}`],
          ...(wantsOut ? [`--allow-fs-read=${out}/`, `--allow-fs-write=${out}/`] : []),
          ...[MAIN, ...args],
        ],
        { encoding: "utf8", cwd: ROOT },
      );
      t.is(status, 0, `${name}: ${stderr}`);
      t.notThrows(() => JSON.parse(stdout), name);
    }
    t.deepEqual(readdirSync(out), ["x.safetensors"]);
  },
);

whenBuilt("a folder that may not be written is a sentence, not an exception", (t) => {
  const out = folderOf("forbidden");
  const command = [PERMISSION, "--allow-addons", `--allow-fs-read=${ROOT}`, MAIN];
  const args = ["loss", BATCH, "--out", join(out, "x.safetensors")];
  const { status, stderr } = spawnSync(process.execPath, ["--no-warnings", ...command, ...args], {
    encoding: "utf8",
  });
  t.is(status, 3);
  t.regex(stderr, /papo loss: .*x\.safetensors: expected a file that can be written/);
  t.deepEqual(readdirSync(out), []);
});

/** Calls by which a process reaches outside of itself. */
const TRACED =
  "socket,connect,bind,listen,sendto,execve,open,openat,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,symlink,symlinkat,truncate,chmod,fchmodat";

whenTraced(
  "no socket, no other program, and no file written but the one that was asked for (strace)",
  (t) => {
    const out = folderOf("traced");
    const log = join(root, "strace.log");
    for (const [name, args] of Object.entries(COMMANDS(out))) {
      const command = [
        "-f",
        "-y",
        "-o",
        log,
        "-e",
        `trace=${TRACED}`,
        process.execPath,
        MAIN,
        ...args,
      ];
      const { status } = spawnSync("strace", command, { encoding: "utf8", cwd: ROOT });
      t.is(status, 0, name);
      const calls = readFileSync(log, "utf8")
        .replaceAll(/^\d+ +/gm, "")
        .split("\n");
      t.is(calls.filter((call) => call.startsWith("execve(")).length, 1, name);
      const outside = calls.filter(
        (call) =>
          /^[a-z]/.test(call) &&
          !call.startsWith("execve(") &&
          // Opened for reading; what Node opens of itself: a pipe's end, an event.
          !/^open(at)?\(.*O_RDONLY/.test(call),
      );
      const temporary = `${join(out, "x.safetensors")}.`;
      const strangers = outside.filter((call) => !call.includes(temporary));
      t.deepEqual(strangers, [], name);
      t.is(outside.length > 0, args.includes("--out"), name);
    }
  },
);
