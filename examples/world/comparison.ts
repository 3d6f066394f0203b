/** Comparison: two digits or two bars side by side; which is larger? */
import type { RandomStream } from "../random.js";
import { drawPair, pairsWhere } from "./pair.js";
import type { Scene } from "./scene.js";
import { SIDES } from "./vocabulary.js";

const PAIRS = {
  left: pairsWhere((left, right) => left > right),
  right: pairsWhere((left, right) => left < right),
  equal: pairsWhere((left, right) => left === right),
} as const;

/** Every answer is equally likely, and so is every pair of values that has it. */
export function drawComparison(random: RandomStream): Scene {
  const answer = random.pick(SIDES);
  const kind = random.pick(["digits", "bars"] as const);
  return { ...drawPair(random, kind, random.pick(PAIRS[answer])), question: ["compare"], answer };
}
