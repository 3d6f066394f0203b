/** Counting: coloured discs and squares, one in each quarter or none; how many have the colour that is asked for? */
import type { RandomStream } from "../random.js";
import { type Canvas, disc, IMAGE_SIZE, rectangle } from "./canvas.js";
import type { Scene } from "./scene.js";
import { COLOUR_NAMES, numberWord } from "./vocabulary.js";

/** Rows and columns of the grid. */
const SIDE = 2;
const CELLS: number = SIDE * SIDE;
/** Pixels. */
const CELL: number = IMAGE_SIZE / SIDE;
const RADIUS = 5.2;
const SQUARE = 9;
/** How often a quarter is taken where the colour that is asked for is not. */
const OTHERS = 0.5;
/** The content names grids with a number that no pair of values begins with. */
const GRID = 2;

/** Every count from 0 to 4 is equally likely, and so is every choice of the quarters that are counted. */
export function drawCounting(random: RandomStream): Scene {
  const count = random.integer(CELLS + 1);
  const asked = random.pick(COLOUR_NAMES);
  const others = COLOUR_NAMES.filter((colour) => colour !== asked);
  const cells = random
    .shuffled([...Array(CELLS).keys()])
    .map((place) =>
      place < count ? asked : random.next() < OTHERS ? random.pick(others) : undefined,
    );
  // Only what is there has a shape: every bit is one thing's.
  const things = cells.filter((cell) => cell !== undefined).length;
  const shapes = random.integer(2 ** things);
  return {
    content: [GRID, ...cells.map((cell) => (cell ? 1 + COLOUR_NAMES.indexOf(cell) : 0))],
    variant: shapes,
    variants: 2 ** things,
    question: ["count", asked],
    facts: cells.map((cell) => numberWord(cell === asked ? 1 : 0)),
    answer: numberWord(count),
    paint(canvas: Canvas): void {
      let bits = shapes;
      cells.forEach((colour, cell) => {
        if (colour === undefined) return;
        const x = (cell % SIDE) * CELL + CELL / 2 + canvas.nudge();
        const y = Math.floor(cell / SIDE) * CELL + CELL / 2 + canvas.nudge();
        const corner = (SQUARE - 1) / 2;
        const square = rectangle(x - corner, y - corner, SQUARE, SQUARE);
        canvas.fill(colour, bits % 2 === 0 ? disc(x, y, RADIUS) : square);
        bits >>= 1;
      });
    },
  };
}
