/** Batches of any form agree with the float64 reference. */
import test from "ava";
import { agree } from "./agreement.js";

/** Others with `npm run fuzz`. */
const SEEDS = 150;

test("statistics, loss and gradients of random batches are those of the reference", (t) => {
  for (let seed = 0; seed < SEEDS; seed++) t.notThrows(() => agree(seed));
});
