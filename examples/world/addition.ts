/** Addition: two digits side by side; what is their sum? */
import type { RandomStream } from "../random.js";
import { drawPair, LARGEST_VALUE, pairsWhere } from "./pair.js";
import type { Scene } from "./scene.js";
import { numberWord } from "./vocabulary.js";

/** Every sum is equally likely, and so is every pair of digits that has it. */
export function drawAddition(random: RandomStream): Scene {
  const sum = random.integer(2 * LARGEST_VALUE + 1);
  const values = random.pick(pairsWhere((left, right) => left + right === sum));
  return { ...drawPair(random, "digits", values), question: ["add"], answer: numberWord(sum) };
}
