/** Requests for memory and for threads that fail: the addon under a preloaded library that refuses them. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { HAS_COMPILER } from "../addon/broken-addons.js";
import { runCode, runFile } from "./child.js";
import { problem } from "./problem.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "papo-"));
const library = join(folder, "faults.node");

test.before(() => {
  if (!HAS_COMPILER || process.platform !== "linux") return;
  const headers = join(ROOT, "node_modules/node-api-headers/include");
  const source = join(ROOT, "test/native/faults/faults.cpp");
  const flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-lstdc++"];
  execFileSync("cc", ["-I", headers, source, ...flags, "-o", library]);
});
test.after.always(() => rmSync(folder, { recursive: true }));

const onLinux = HAS_COMPILER && process.platform === "linux" ? test : test.skip;

async function withFaults(...args: readonly string[]) {
  const env = { LD_PRELOAD: library, PAPO_NUM_THREADS: "4" };
  const { code, stdout, stderr } = await runFile("fault-child.ts", [library, ...args], { env });
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

onLinux(
  "wherever memory runs out, the call fails with ERR_OUT_OF_MEMORY, leaks nothing, and the next one works",
  async (t) => {
    const outcomes: Record<string, string[]> = await withFaults("memory");
    const all = Object.values(outcomes).flat();
    t.true(all.length > 100, `${all.length} requests`);
    t.deepEqual([...new Set(all)], ["ERR_OUT_OF_MEMORY"]);
    t.is(outcomes.evaluate?.length, 0, "a call that succeeds asks for none");
  },
);

onLinux(
  "with fewer threads than it wants the pool does the same work, and gets them later",
  async (t) => {
    const [none, one] = await Promise.all(["0", "1"].map((n) => withFaults("threads", n)));
    t.deepEqual([none.failed, none.threads, none.later], [1, 1, 4]);
    t.deepEqual([one.failed, one.threads, one.later], [1, 2, 4]);
    const { bits } = problem(64, 8192, 1);
    t.deepEqual([none.bits, one.bits], [[bits], [bits]]);
  },
);

onLinux(
  "arrays that do not fit into memory are ERR_OUT_OF_MEMORY, and the rest goes on",
  async (t) => {
    const { code, stdout, stderr } = await runCode(`
    const { execFileSync } = await import("node:child_process");
    const { readFileSync } = await import("node:fs");
    const codeOf = (call) => { try { call(); return "ok"; } catch ({ code }) { return code; } };
    const [rows, vocab] = [2 ** 15, 2 ** 12]; // 512 MiB
    const batch = {
      logits: papo.zeros([rows, vocab]),
      tokenIds: new Int32Array(rows),
      advantages: [1],
      cuSeqlens: [0, rows],
    };
    const has = 1024 * Number(/VmSize:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
    // Four arrays and a half: what V8 needs for itself finds room beside them.
    execFileSync("prlimit", ["--pid", process.pid, "--as=" + (has + 2 ** 31 + 2 ** 28)]);
    const kept = [];
    const ppo = papo.objective("ppo").build();
    console.log(codeOf(() => { for (;;) kept.push(papo.zeros([rows, vocab])); }));
    console.log(codeOf(() => ppo.evaluate(batch)));
    console.log(await ppo.evaluateAsync(batch).catch(({ code }) => code));
    kept.length = 0;
    gc();
    console.log(codeOf(() => ppo.evaluate(batch)));`);
    const refused = "ERR_OUT_OF_MEMORY\n";
    t.deepEqual([code, stdout, stderr], [0, `${refused.repeat(3)}ok\n`, ""]);
  },
);
