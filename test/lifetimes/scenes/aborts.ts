/** Calls that are aborted at any moment, many at a time. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { zeros } from "../../../lib/index.js";
import { bitsOf, papo, problem, SIZES } from "../problem.js";
import type { Scene } from "../scene.js";

/** What is in memory that nobody has written. */
const MARK = 7;

export const aborts: Scene = {
  claim:
    "an abort at any moment rejects with its reason, and leaves memory alone that it came before",
  rounds: 6,
  long: 200,
  async run(rounds, random) {
    const problems = SIZES.map(([rows, vocab], i) => problem(rows, vocab, i));
    for (let round = 0; round < rounds; round++) {
      const all = new AbortController();
      const calls = Array.from({ length: 24 }, async (_, i) => {
        const { batch, bits } = problems[random.below(problems.length)] ?? assert.fail();
        const own = new AbortController();
        const { signal } = i % 3 === 0 ? all : own;
        const given = batch();
        const gradLogits = zeros(given.logits.shape);
        gradLogits.data.fill(MARK);
        // Of those with a signal of their own: the others' comes when some of them run.
        const early = signal === own.signal && i % 8 === 1;
        const reason = new Error(`reason ${i}`);
        if (early) own.abort(reason);
        const running = papo.evaluateAsync(given, { gradLogits, signal });
        const later = !early && i % 3 === 1;
        if (later) sleep(random.below(12)).then(() => own.abort(reason));
        try {
          const evaluation = await running;
          assert.ok(!early, "a call that was aborted before gives a result");
          assert.equal(bitsOf(evaluation), bits);
        } catch (error) {
          assert.equal(error, signal.reason);
          if (signal === own.signal) assert.equal(error, reason);
          if (early) assert.ok(gradLogits.data.every((x) => x === MARK));
        }
      });
      const reason = round % 2 === 0 ? new Error("all") : undefined;
      sleep(random.below(12)).then(() => all.abort(reason));
      await Promise.all(calls);
      const { batch, bits } = problems[round % problems.length] ?? assert.fail();
      assert.equal(bitsOf(papo.evaluate(batch())), bits);
    }
  },
};
