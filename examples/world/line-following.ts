/** Line following: three lines that start in a colour each and cross on their way; where does one of them end? */
import type { RandomStream } from "../random.js";
import { type Canvas, IMAGE_SIZE, type Region, rectangle } from "./canvas.js";
import type { Scene } from "./scene.js";
import { COLOUR_NAMES, type ColourName, CROSSINGS, ROWS } from "./vocabulary.js";

/** Pixels from the top. */
const ROW_CENTRES = [5, 15.5, 26] as const;
/** Pixels: the coloured starts, then two stretches on each of which two neighbouring lines may cross. */
const START_SIZE = 7;
const STRETCH_LEFT = 8;
const STRETCH_WIDTH = 12;
const LINE_WIDTH = 3;
const LINES = 3;

/** Where a line that comes in on a row goes on after a stretch. */
const AFTER = { straight: [0, 1, 2], upper: [1, 0, 2], lower: [0, 2, 1] } as const;

/** The colours of the lines from top to bottom, all different, in every order. */
const ORDERS: readonly (readonly ColourName[])[] = COLOUR_NAMES.flatMap((top) =>
  COLOUR_NAMES.flatMap((middle) => COLOUR_NAMES.map((bottom) => [top, middle, bottom])),
).filter((colours) => new Set(colours).size === LINES);

/** The colours are drawn without repetition, so that every end is equally likely whatever the lines do. */
export function drawLineFollowing(random: RandomStream): Scene {
  const variant = random.integer(ORDERS.length);
  const colours = ORDERS[variant] ?? [];
  const crossings = [random.pick(CROSSINGS), random.pick(CROSSINGS)];
  const asked = random.integer(LINES);
  return {
    content: [LINES, ...crossings.map((crossing) => CROSSINGS.indexOf(crossing))],
    variant,
    variants: ORDERS.length,
    question: ["follow", colours[asked] ?? "red"],
    facts: [ROWS[asked] ?? "top", ...crossings],
    answer: ROWS[rowsOf(asked, crossings).at(-1) ?? 0] ?? "top",
    paint(canvas: Canvas): void {
      colours.forEach((colour, row) => {
        const rows = rowsOf(row, crossings);
        canvas.fill(
          "white",
          curve(
            rows.map((at) => ROW_CENTRES[at] ?? 0),
            canvas.nudge(),
          ),
        );
        const top = Math.round((ROW_CENTRES[row] ?? 0) - (START_SIZE - 1) / 2) + canvas.nudge();
        canvas.fill(colour, rectangle(0, top, START_SIZE, START_SIZE));
      });
    },
  };
}

/** The rows of a line at its start, between the stretches and at its end. */
function rowsOf(start: number, crossings: readonly (keyof typeof AFTER)[]): number[] {
  const rows = [start];
  for (const crossing of crossings) rows.push(AFTER[crossing][rows.at(-1) ?? 0] ?? 0);
  return rows;
}

/** A line through the given heights at the ends of the stretches, level there and smooth between. */
function curve(heights: readonly number[], down: number): Region {
  return (x, y) => {
    const along = Math.max(0, (x - STRETCH_LEFT + 0.5) / STRETCH_WIDTH);
    const stretch = Math.min(Math.floor(along), heights.length - 2);
    const from = heights[stretch] ?? 0;
    const rise = (heights[stretch + 1] ?? from) - from;
    const part = Math.min(1, along - stretch);
    const centre = from + rise * part * part * (3 - 2 * part) + down;
    const slope = (rise * 6 * part * (1 - part)) / STRETCH_WIDTH;
    // The distance to the line is about the vertical one times the cosine of its angle.
    return x < IMAGE_SIZE && Math.abs(y - centre) <= (LINE_WIDTH / 2) * Math.hypot(1, slope);
  };
}
