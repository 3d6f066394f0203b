/** Processes that end while calls run: with the code that they should have, and soon. */
import test from "ava";
import { runCode } from "./child.js";

test("process.exit in the middle of calls, most of which wait, ends the process with its code", async (t) => {
  // Node waits for what runs, so that is told of the end.
  const { code, stdout, stderr } = await runCode(`
    const { raisedBy } = await import(${JSON.stringify(new URL("../../lib/addon/aborts.ts", import.meta.url))});
    endless();
    const { flag } = raisedBy(undefined);
    process.once("exit", () => console.log(flag[0]));
    setImmediate(() => process.exit(3));`);
  t.deepEqual([code, stdout, stderr], [3, "1\n", ""]);
});

test("so does an exception that nobody catches", async (t) => {
  const { code, stderr } = await runCode(`
    endless();
    setImmediate(() => { throw new Error("on purpose"); });`);
  t.is(code, 1);
  t.regex(stderr, /on purpose/);
});

test("and process.exit in a worker, and the end of the process that has the worker", async (t) => {
  const { code, stdout } = await runCode(`
    const { Worker } = await import("node:worker_threads");
    const { newWorker } = await import(${JSON.stringify(new URL("worker-thread.ts", import.meta.url))});
    const leaving = newWorker({ seed: 1, leave: true });
    console.log(await new Promise((resolve) => leaving.once("exit", resolve)));
    newWorker({ seed: 2 }).once("message", () => process.exit(5));`);
  t.deepEqual([code, stdout], [5, "4\n"]);
});

test("a worker that is terminated does not go on with its call", async (t) => {
  // Node waits for it: while eight times as much as one of ours goes on, several of ours end.
  const { code, stdout, stderr } = await runCode(`
    const { Worker } = await import("node:worker_threads");
    const file = ${JSON.stringify(new URL("long-worker.ts", import.meta.url).href)};
    const { long } = await import(file);
    const { startThread } = await import(${JSON.stringify(new URL("worker-thread.ts", import.meta.url))});
    const worker = startThread(file, {});
    await new Promise((resolve) => worker.once("message", resolve));
    let isThere = true;
    const ended = worker.terminate().then(() => { isThere = false; });
    let calls = 0;
    for (; isThere; calls++) await long(1);
    console.log(calls < 4 ? "soon" : calls);`);
  t.deepEqual([code, stdout, stderr], [0, "soon\n", ""]);
});

test("a signal ends a process whatever runs", async (t) => {
  const code = `endless(); setImmediate(() => console.log("go"));`;
  const ended = await Promise.all(
    (["SIGTERM", "SIGKILL"] as const).map((kill) => runCode(code, { kill })),
  );
  t.deepEqual(
    ended.map(({ signal }) => signal),
    ["SIGTERM", "SIGKILL"],
  );
});

test("forked processes and those of a cluster compute like any other", async (t) => {
  const { code, stdout } = await runCode(`
    const { default: cluster } = await import("node:cluster");
    const { fork } = await import("node:child_process");
    const { fileURLToPath } = await import("node:url");
    const file = fileURLToPath(${JSON.stringify(new URL("cluster-child.ts", import.meta.url))});
    const { problem } = await import(${JSON.stringify(new URL("problem.ts", import.meta.url))});
    const { bits } = problem(40, 4099, 1);
    cluster.setupPrimary({ exec: file, execArgv: ["--import=tsx"] });
    const children = [fork(file, { execArgv: ["--import=tsx"] }), cluster.fork()];
    for (const child of children) {
      child.on("message", (theirs) => console.log(theirs === bits));
    }`);
  t.deepEqual([code, stdout], [0, "true\ntrue\n"]);
});
