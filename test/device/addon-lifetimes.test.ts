/** Ends: of workers in the middle of their work, of processes, and of all that they held. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import test from "ava";
import { statsNumbers } from "../addon/native-call.js";
import { addon, collect, DEVICE, freeBytes, path } from "./addon-calls.js";
import { onSimulation } from "./conditions.js";

const [ROWS, VOCAB] = [16, 1024];
const STATS = statsNumbers(ROWS, VOCAB);

/** Starts copies, ops and waits on a device; `go` is called once they run, and `forever` begins again. */
const WORK = `
  const addon = require(process.env.PAPO_TEST_ADDON);
  const [rows, vocab] = [${ROWS}, ${VOCAB}];
  const op = ${STATS.op};
  const numbers = Float64Array.of(${STATS.numbers});
  const bytes = 4 * rows * vocab;
  const area = (data) => ({ data, byteOffset: 0, pitchBytes: bytes });
  const kept = [];
  function start() {
    const stream = addon.createStream("${DEVICE}");
    const event = addon.createEvent("${DEVICE}");
    const pinned = new Float32Array(addon.allocatePinned(bytes));
    const device = addon.allocate("${DEVICE}", bytes);
    const large = addon.allocate("${DEVICE}", 2 ** 21);
    const foreign = addon.wrapPointer("${DEVICE}", addon.bufferInfo(device).pointer, bytes, device);
    kept.push(stream, event, pinned, device, large, foreign);
    addon.copy(area(pinned), area(device), 1, bytes);
    addon.recordEvent(event, stream);
    const memory = [foreign, new Int32Array(rows), new Float64Array(8 * rows)];
    return [
      addon.copyAsync(area(pinned), area(device), 1, bytes, stream),
      addon.copyAsync(area(device), area(pinned), 1, bytes),
      addon.runAsync(op, numbers, stream, undefined, ...memory),
      addon.synchronizeEventAsync(event),
      addon.synchronizeAsync("${DEVICE}"),
    ];
  }
  async function work(go, forever) {
    do {
      const running = [...start(), ...start()];
      go();
      await Promise.all(running);
      kept.length = 0;
    } while (forever);
  }`;

function startWorker(forever: boolean): Worker {
  const code = `${WORK}
    const { parentPort } = require("node:worker_threads");
    work(() => parentPort.postMessage("started"), ${forever}).then(() => parentPort.postMessage("done"));`;
  return new Worker(code, { eval: true, env: { ...process.env, PAPO_TEST_ADDON: path } });
}

function message(worker: Worker, wanted: string): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on("message", (text) => text === wanted && resolve());
    worker.on("error", reject);
  });
}

// What the engine keeps for its next call may stay: less than a mebibyte. Each worker has two of `large`, at least.
onSimulation("workers that end leave nothing behind", async (t) => {
  const first = startWorker(false);
  await message(first, "done");
  await first.terminate();
  await collect();
  const free = freeBytes();
  const workers = [1, 2, 3].map(() => startWorker(false));
  await Promise.all(workers.map((worker) => message(worker, "done")));
  await Promise.all(workers.map((worker) => worker.terminate()));
  t.true(free - freeBytes() < 2 ** 20, `${free - freeBytes()} bytes`);
});

onSimulation(
  "workers terminated in the middle of their calls leave nothing behind either",
  async (t) => {
    const first = startWorker(true);
    await message(first, "started");
    await first.terminate();
    const free = freeBytes();
    for (let round = 0; round < 16; round++) {
      const worker = startWorker(true);
      await message(worker, "started");
      await new Promise((resolve) => setTimeout(resolve, 4 * round));
      await worker.terminate();
    }
    t.true(free - freeBytes() < 2 ** 20, `${free - freeBytes()} bytes`);
    addon.free(addon.allocate(DEVICE, 1024));
  },
);

/** Exit code and what was printed of a process that runs `code` after WORK. */
async function processWith(code: string) {
  const env = { ...process.env, PAPO_TEST_ADDON: path };
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", "-e", `${WORK}\n${code}`],
    { env },
  );
  return stdout + stderr;
}

const ENDS: Readonly<Record<string, string>> = {
  "when its work is done": "work(() => {}, false).then(() => console.log('end'));",
  "in the middle of its work": "work(() => { console.log('end'); process.exit(0); }, true);",
  "with objects that nobody collects": "start(); globalThis.kept = kept; console.log('end');",
  "after a collection in the middle of its work":
    "work(() => { kept.length = 0; gc(); console.log('end'); }, false);",
};

for (const [when, code] of Object.entries(ENDS)) {
  test(`a process ends in peace ${when}`, async (t) => {
    t.is(await processWith(code), "end\n");
  });
}

test("an exception that nobody catches ends a process as it should, whatever runs", async (t) => {
  const error = await t.throwsAsync(
    processWith("start(); setImmediate(() => { throw new Error('on purpose'); });"),
  );
  t.is((error as { code?: unknown }).code, 1);
  t.regex((error as { stderr?: string }).stderr ?? "", /on purpose/);
});
