/** Counting: coloured discs in a grid; how many have the colour that is asked for? */
import type { RandomStream } from "../random.js";
import { type Canvas, disc } from "./canvas.js";
import type { Scene } from "./scene.js";
import { COLOUR_NAMES, numberWord } from "./vocabulary.js";

/** Rows and columns of the grid. */
const SIDE = 3;
/** Pixels. */
const CELL = 11;
const RADIUS = 3.7;
const LARGEST_COUNT = 4;
/** The content names grids with a number that no pair of values begins with. */
const GRID = 2;

/** Every count from 0 to 4 is equally likely; two or three discs are of other colours. */
export function drawCounting(random: RandomStream): Scene {
  const count = random.integer(LARGEST_COUNT + 1);
  const asked = random.pick(COLOUR_NAMES);
  const others = COLOUR_NAMES.filter((colour) => colour !== asked);
  const discs = [
    ...Array.from({ length: count }, () => asked),
    ...Array.from({ length: 2 + random.integer(2) }, () => random.pick(others)),
  ];
  const places = random.shuffled([...Array(SIDE * SIDE).keys()]);
  const cells = places.map((place) => discs[place]);
  const rows = Array.from({ length: SIDE }, (_, row) => cells.slice(row * SIDE, (row + 1) * SIDE));
  return {
    content: [GRID, ...cells.map((cell) => (cell ? 1 + COLOUR_NAMES.indexOf(cell) : 0))],
    colouring: 0,
    colourings: 1,
    question: ["count", asked],
    facts: rows.map((row) => numberWord(row.filter((cell) => cell === asked).length)),
    answer: numberWord(count),
    paint(canvas: Canvas): void {
      cells.forEach((colour, cell) => {
        if (colour === undefined) return;
        const x = (cell % SIDE) * CELL + (CELL - 1) / 2 + canvas.nudge();
        const y = Math.floor(cell / SIDE) * CELL + (CELL - 1) / 2 + canvas.nudge();
        canvas.fill(colour, disc(x, y, RADIUS));
      });
    },
  };
}
