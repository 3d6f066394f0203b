/** Memory that is transferred, detached or disposed of while a call works on it. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { PapoError, zeros } from "../../../lib/index.js";
import { bitsOf, papo, problem } from "../problem.js";
import { collect, type Scene } from "../scene.js";

export const transfers: Scene = {
  claim:
    "memory that is transferred, dropped or disposed of under a call ends in a result or a PapoError",
  rounds: 4,
  async run(rounds, random) {
    const { batch, bits } = problem(512, 8192, 3);
    for (let round = 0; round < rounds; round++) {
      const given = batch();
      const gradLogits = zeros(given.logits.shape);
      // The third of them is still in the line.
      const calls = [0, 1, 2].map((i) =>
        papo.evaluateAsync(i === 0 ? given : batch(), i === 0 ? { gradLogits } : {}),
      );
      const late = papo.evaluateAsync(given);
      const outcomes = Promise.allSettled([...calls, late]);
      if (round % 2 === 1) await sleep(random.below(20));
      lose(round, given.logits.data.buffer as ArrayBuffer);
      lose(round + 1, gradLogits.data.buffer as ArrayBuffer);
      given.logits.dispose();
      await collect();
      const [first, second, third, last] = await outcomes;
      for (const outcome of [second, third]) {
        assert.ok(outcome?.status === "fulfilled");
        assert.equal(bitsOf(outcome.value), bits);
      }
      for (const outcome of [first, last]) {
        if (outcome?.status === "rejected") assert.ok(outcome.reason instanceof PapoError);
      }
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
