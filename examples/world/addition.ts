/** Addition: two digits side by side; what is their sum? */
import type { RandomStream } from "../random.js";
import { drawPair, LARGEST_VALUE, pairsWhere } from "./pair.js";
import type { Scene } from "./scene.js";
import { numberWord } from "./vocabulary.js";

/** The pairs of digits by their sum, 0 … 8. */
const PAIRS = Array.from({ length: 2 * LARGEST_VALUE + 1 }, (_, sum) =>
  pairsWhere((left, right) => left + right === sum),
);

/** Every sum is equally likely, and so is every pair of digits that has it. */
export function drawAddition(random: RandomStream): Scene {
  const sum = random.integer(PAIRS.length);
  const values = random.pick(PAIRS[sum] ?? []);
  return { ...drawPair(random, "digits", values), question: ["add"], answer: numberWord(sum) };
}
