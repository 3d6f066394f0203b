/** Far more calls at once than there are threads. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { bitsOf, papo, problem } from "../problem.js";
import { collect, MEBIBYTE, type Scene } from "../scene.js";

const CALLS = 1000;

export const crowd: Scene = {
  claim:
    "thousands of calls at once let files pass, and leave the line at once when they are aborted",
  rounds: 1,
  long: 10,
  async run(rounds) {
    const { batch, bits } = problem(8, 4099, 8);
    const before = await collect();
    for (let round = 0; round < rounds; round++) {
      const given = batch();
      const controller = new AbortController();
      const reason = new Error("enough");
      const settled = { done: 0, aborted: 0 };
      const calls = Array.from({ length: CALLS }, async (_, i) => {
        const signal = i % 2 === 1 ? controller.signal : undefined;
        try {
          assert.equal(bitsOf(await papo.evaluateAsync(given, { signal })), bits);
          settled.done++;
        } catch (error) {
          assert.equal(error, reason);
          settled.aborted++;
        }
      });
      // A few hops through the threads that calls run on.
      const left = readFile(new URL(import.meta.url)).then(() => CALLS - settled.done);
      await calls[0];
      controller.abort(reason);
      const { done } = settled;
      await new Promise((resolve) => setImmediate(resolve));
      // All that waited are gone by now, whatever ran goes on; of the others most are still to come.
      assert.ok(settled.aborted >= CALLS / 2 - done - 4, `${settled.aborted} aborted`);
      await Promise.all(calls);
      assert.ok((await left) > CALLS / 2, "the file came after half of the calls");
    }
    const after = await collect();
    const grown = after.arrayBuffers - before.arrayBuffers;
    assert.ok(grown < 4 * MEBIBYTE, `${grown} bytes are left`);
  },
};
