/** The bounds on accuracy: float32 logits at V = 151 936 against float64, on the instruction set of this process. */
import test from "ava";
import {
  BOUNDS,
  errorsOf,
  HARD_ROWS,
  type HardRow,
  hardRow,
  NEAR_KLS,
  type RowErrors,
} from "../support/accuracy.js";

const VOCAB_SIZE = 151_936;

type Bounds = typeof BOUNDS;

/** Below what the bound is for: the logarithms of the two sums differ by 1e-8 too much, whose square is 1e-5 of 1e-11. */
const TINY_KL: Partial<Bounds> = { klRelative: 1e-4 };

function held(name: HardRow, errors: RowErrors, loose: Partial<Bounds> = {}): string[] {
  const bounds = { ...BOUNDS, ...loose };
  // What is relative to a KL is asked of nearly equal policies.
  const keys = (Object.keys(bounds) as (keyof Bounds)[]).filter(
    (key) => key !== "klRelative" || name === "near",
  );
  return keys
    .filter((key) => !(errors[key] <= bounds[key]))
    .map((key) => `${key} ${errors[key].toExponential(1)}, bound ${bounds[key].toExponential(1)}`);
}

for (const name of HARD_ROWS) {
  test(`statistics and gradients of ${name} rows are within their bounds`, (t) => {
    for (const seed of [0, 1]) {
      const errors = errorsOf(hardRow(name, VOCAB_SIZE, seed), "float32");
      t.deepEqual(held(name, errors), []);
    }
  });
}

test("the KL of two almost equal policies keeps its digits from 1e-2 down to 1e-12", (t) => {
  for (const [seed, kl] of NEAR_KLS.entries()) {
    const errors = errorsOf(hardRow("near", VOCAB_SIZE, seed, kl), "float32");
    t.true(errors.trueKl > kl / 2 && errors.trueKl < kl * 2, `a KL of ${errors.trueKl}`);
    t.deepEqual(
      held("near", errors, kl < 1e-10 ? TINY_KL : {}),
      [],
      `KL ${errors.trueKl.toExponential(1)}`,
    );
  }
});
