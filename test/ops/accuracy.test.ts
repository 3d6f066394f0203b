/** The bounds on accuracy: float32 logits at V = 151 936 against float64, on the instruction set of this process. */
import test from "ava";
import { BOUNDS, beyond, errorsOf, TIED_BOUNDS } from "../support/accuracy.js";
import { HARD_ROWS, hardRow, NEAR_KLS } from "../support/hard-rows.js";

const VOCAB_SIZE = 151_936;

/** Below what the bound is for: the logarithms of the two sums differ by 1e-8 too much, whose square is 1e-5 of 1e-11. */
const TINY_KL = 1e-4;

for (const name of HARD_ROWS) {
  test(`statistics and gradients of ${name} rows are within their bounds`, (t) => {
    const bounds = name === "ties" ? TIED_BOUNDS : BOUNDS;
    for (const seed of [0, 1]) {
      t.deepEqual(beyond(bounds, name, errorsOf(hardRow(name, VOCAB_SIZE, seed), "float32")), []);
    }
  });
}

test("the KL of two almost equal policies keeps its digits from 1e-2 down to 1e-12", (t) => {
  for (const [seed, kl] of NEAR_KLS.entries()) {
    const errors = errorsOf(hardRow("near", VOCAB_SIZE, seed, kl), "float32");
    t.true(errors.trueKl > kl / 2 && errors.trueKl < kl * 2, `a KL of ${errors.trueKl}`);
    const title = `KL ${errors.trueKl.toExponential(1)}`;
    t.deepEqual(beyond(BOUNDS, "near", errors), [], title);
    t.true(errors.klRelative <= (kl < 1e-10 ? TINY_KL : BOUNDS.klRelative), title);
  }
});
