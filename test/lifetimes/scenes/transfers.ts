/** Memory that is transferred, detached or disposed of while a call works on it. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { PapoError, zeros } from "../../../lib/index.js";
import { bitsOf, papo, problem } from "../problem.js";
import { collect, type Scene } from "../scene.js";

/** A call of some 50 ms; pages that nobody writes take no memory. */
const SHAPE = [1024, 32768] as const;

export const transfers: Scene = {
  claim:
    "memory that is transferred, dropped or disposed of under a call ends in a result or a PapoError",
  rounds: 4,
  long: 60,
  async run(rounds, random) {
    const { batch, bits } = problem(96, 8192, 3);
    // With more threads than Node has by itself all four run at once.
    const isWaiting = process.env.UV_THREADPOOL_SIZE === undefined;
    const [rows] = SHAPE;
    const numbers = {
      tokenIds: new Int32Array(rows),
      oldLogProbs: new Float64Array(rows).fill(-9),
    };
    for (let round = 0; round < rounds; round++) {
      const logits = zeros(SHAPE);
      const gradLogits = zeros(SHAPE);
      const lost = {
        ...numbers,
        logits,
        maskedLogits: zeros(SHAPE),
        advantages: [1],
        cuSeqlens: [0, rows],
      };
      const options = round % 2 === 0 ? { gradLogits } : { gradients: false };
      // The second of each is still in the line when the memory goes.
      const calls = [lost, batch(), lost, batch()].map((given, i) =>
        papo.evaluateAsync(given, i === 0 ? options : {}),
      );
      const outcomes = Promise.allSettled(calls);
      const atOnce = round % 4 < 2;
      if (!atOnce) await sleep(random.below(20));
      const memory = logits.data.buffer as ArrayBuffer;
      lose(round, memory);
      lose(round + 1, gradLogits.data.buffer as ArrayBuffer);
      logits.dispose();
      await collect();
      const settled = await outcomes;
      settled.forEach((outcome, i) => {
        if (outcome.status === "rejected") {
          assert.ok(i % 2 === 0 && outcome.reason instanceof PapoError, String(outcome.reason));
        } else if (i % 2 === 1) assert.equal(bitsOf(outcome.value), bits);
      });
      // What waited had lost its memory by the time of its turn; after a while it may have had its turn.
      const waited = settled[2];
      if (waited?.status === "rejected") assert.equal(waited.reason.code, "ERR_DISPOSED");
      else
        assert.ok(
          !isWaiting || !atOnce || memory.byteLength > 0,
          "what waited used memory that it had lost",
        );
    }
  },
};

/** Takes the memory of a buffer away, in one of several ways. */
function lose(way: number, buffer: ArrayBuffer): void {
  if (way % 3 === 0) {
    structuredClone(buffer, { transfer: [buffer] });
  } else if (way % 3 === 1) {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(buffer, [buffer]);
    port1.close();
    port2.close();
  } else {
    (buffer as { transfer?: (length: number) => ArrayBuffer }).transfer?.(8);
  }
}
