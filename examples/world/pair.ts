/** Two values side by side, as digits or as bars: what additions and comparisons are about. */
import type { RandomStream } from "../random.js";
import { type Canvas, IMAGE_SIZE, type Region, rectangle } from "./canvas.js";
import type { Scene } from "./scene.js";
import { COLOUR_NAMES, numberWord } from "./vocabulary.js";

/** Values are 0 … 4. */
export const LARGEST_VALUE = 4;
/** Three by five blocks each. */
const DIGITS = [
  ["###", "# #", "# #", "# #", "###"],
  [" # ", "## ", " # ", " # ", "###"],
  ["###", "  #", "###", "#  ", "###"],
  ["###", "  #", " ##", "  #", "###"],
  ["# #", "# #", "###", "  #", "  #"],
] as const;
/** Pixels: the side of a digit's block, and where its blocks begin in the half of the picture. */
const BLOCK = 4;
const DIGIT_LEFT = 2;
const DIGIT_TOP = 6;
/** Pixels of a bar: value 0 is the base alone, and every value adds a step. */
const BAR = { left: 4, width: 8, bottom: 30, base: 4, step: 6 } as const;

const KINDS = ["digits", "bars"] as const;
export type PairKind = (typeof KINDS)[number];

/** All pairs of values that a condition holds for. */
export function pairsWhere(
  condition: (left: number, right: number) => boolean,
): readonly (readonly [number, number])[] {
  const values = [...Array(LARGEST_VALUE + 1).keys()];
  const pairs = values.flatMap((left) => values.map((right) => [left, right] as const));
  return pairs.filter(([left, right]) => condition(left, right));
}

/** The part of a scene that does not depend on what is asked about the pair. */
export function drawPair(
  random: RandomStream,
  kind: PairKind,
  values: readonly [number, number],
): Omit<Scene, "question" | "answer"> {
  const colours = [random.integer(COLOUR_NAMES.length), random.integer(COLOUR_NAMES.length)];
  const [first = 0, second = 0] = colours;
  const region = kind === "digits" ? digit : bar;
  return {
    content: [KINDS.indexOf(kind), ...values],
    variant: first * COLOUR_NAMES.length + second,
    variants: COLOUR_NAMES.length ** 2,
    facts: values.map(numberWord),
    paint(canvas: Canvas): void {
      values.forEach((value, side) => {
        const left = side * (IMAGE_SIZE / 2) + canvas.nudge();
        canvas.fill(COLOUR_NAMES[colours[side] ?? 0] ?? "red", region(value, left, canvas.nudge()));
      });
    },
  };
}

function digit(value: number, left: number, down: number): Region {
  const blocks: readonly string[] = DIGITS[value] ?? [];
  return (x, y) => {
    const row = blocks[Math.floor((y - DIGIT_TOP - down) / BLOCK)];
    return row?.[Math.floor((x - DIGIT_LEFT - left) / BLOCK)] === "#";
  };
}

function bar(value: number, left: number, down: number): Region {
  const height = BAR.base + BAR.step * value;
  return rectangle(left + BAR.left, BAR.bottom - height + down, BAR.width, height);
}
