/** The benchmark's peers compute what papo computes: a faster wrong answer would make a fine table. */
import test from "ava";
import { makeBatch } from "../../bench/cases.js";
import { PEERS } from "../../bench/contenders/peers.js";
import { errorsOf, truthOf } from "../../bench/truth.js";

const made = makeBatch(13, 1031);
/** An odd width, so that lanes end inside a row, and ratios on either side of every clip. */
const batch = {
  ...made,
  oldLogProbs: made.oldLogProbs.map((value, row) => value + ([0, -2, 2][row % 3] as number)),
};
const truth = truthOf(batch, "float32");

/** Float32 sums over a thousand columns; the WebAssembly backends' exponentials are a few 1e-6 off. */
const TOLERANCE = { loss: 1e-5, logProb: 2e-5, entropy: 2e-5, kl: 2e-5, gradients: 5e-4 };

for (const peer of PEERS) {
  for (const operation of peer.operations) {
    test.serial(`${peer.name}: ${operation}`, async (t) => {
      const reason = await peer.absent();
      if (reason !== undefined) return t.pass(reason);
      const setting = { operation, dtype: "float32", outputs: "its own", threads: 1 } as const;
      const evaluation = await peer.setUp(batch, setting);
      // The second run meets what the first one left.
      await evaluation.run();
      await evaluation.run();
      const errors = errorsOf(await evaluation.results(), truth);
      await evaluation.close?.();
      const { gradients, ...forward } = TOLERANCE;
      const bounds = operation === "gradients" ? { ...forward, gradients } : forward;
      t.deepEqual(Object.keys(errors).sort(), Object.keys(bounds).sort());
      for (const [name, bound] of Object.entries(bounds)) {
        const error = errors[name as keyof typeof errors] as number;
        t.true(error < bound, `${name}: ${error}`);
      }
    });
  }
}
