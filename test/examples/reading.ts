/** Reads clean pictures of the experiment's world from their pixels alone, independently of how they are painted. */
import { IMAGE_SIZE, type Task } from "../../examples/world/index.js";

/** Which channels of a clean colour shine. */
const NAMES: Readonly<Record<string, string>> = {
  "100": "red",
  "010": "green",
  "001": "blue",
  "110": "yellow",
  "111": "white",
};
/** What the digits look like in a grid of three by five, row by row. */
const DIGITS = [
  "### #.# #.# #.# ###",
  ".#. ##. .#. .#. ###",
  "### ..# ### #.. ###",
  "### ..# .## ..# ###",
  "#.# #.# ### ..# ..#",
];
const ROWS = ["top", "middle", "bottom"];
const SIZE = IMAGE_SIZE;

type Point = readonly [x: number, y: number];
type Picture = readonly (string | undefined)[];

/** The facts of a clean picture in words; `asked` is the colour the question names. */
export function readFacts(image: Float32Array, task: Task, asked: string | undefined): string[] {
  const picture = Array.from({ length: SIZE * SIZE }, (_, pixel) => {
    const channels = [...image.subarray(pixel * 3, pixel * 3 + 3)];
    return NAMES[channels.map((value) => (value > 0.6 ? "1" : "0")).join("")];
  });
  switch (task) {
    case "counting":
      return quartersWith(picture, asked).map(String);
    case "line-following":
      return [startOf(picture, asked), crossingFrom(picture, 8, 20), crossingFrom(picture, 20, 32)];
    default:
      return [valueIn(picture, 0), valueIn(picture, SIZE / 2)].map(String);
  }
}

function pointsWhere(picture: Picture, condition: (name: string, x: number) => boolean): Point[] {
  return picture.flatMap((name, pixel) =>
    name !== undefined && condition(name, pixel % SIZE)
      ? [[pixel % SIZE, Math.floor(pixel / SIZE)] as const]
      : [],
  );
}

/** The digit or the bar in the half of the picture that begins at `left`: a bar fills its box. */
function valueIn(picture: Picture, left: number): number {
  const points = pointsWhere(picture, (_, x) => x >= left && x < left + SIZE / 2);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [x0, y0] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - x0 + 1, Math.max(...ys) - y0 + 1];
  if (points.length === width * height) return (height - 4) / 6;
  const rows = [0, 1, 2, 3, 4].map((row) =>
    [0, 1, 2]
      .map((column) => {
        const x = x0 + Math.floor(((column + 0.5) * width) / 3);
        const y = y0 + Math.floor(((row + 0.5) * height) / 5);
        return picture[y * SIZE + x] === undefined ? "." : "#";
      })
      .join(""),
  );
  return DIGITS.indexOf(rows.join(" "));
}

/** For each quarter of the picture, row by row, whether a thing of the colour is in it. */
function quartersWith(picture: Picture, asked: string | undefined): number[] {
  const half = SIZE / 2;
  const points = pointsWhere(picture, (name) => name === asked);
  return [0, 1, 2, 3].map((quarter) => {
    const inside = points.filter(
      ([x, y]) => Math.floor(x / half) + 2 * Math.floor(y / half) === quarter,
    );
    return inside.length > 60 ? 1 : 0;
  });
}

function startOf(picture: Picture, asked: string | undefined): string {
  const ys = pointsWhere(picture, (name) => name === asked).map(([, y]) => y);
  const mean = ys.reduce((sum, y) => sum + y, 0) / ys.length;
  return ROWS[Math.floor(mean / (SIZE / 3))] ?? "nowhere";
}

/** Lines that do not cross leave the space between them free. */
function crossingFrom(picture: Picture, left: number, right: number): string {
  const isCrossed = (row: number) =>
    picture.slice(row * SIZE + left, row * SIZE + right).includes("white");
  return isCrossed(10) ? "upper" : isCrossed(21) ? "lower" : "straight";
}
