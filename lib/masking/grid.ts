/** The lines of a patch grid, and which pixels they fall on. */
import { isArray, listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { oneOf } from "../core/option-values.js";

/** Pixels on a side of an image. */
export const MOST_PIXELS: number = 2 ** 20;
/** Patches of one image. */
export const MOST_PATCHES: number = 2 ** 24;
/** Side of a patch in pixels. @see PAPO authors, verl/trainer/papo_utils.py:17-30 */
export const PATCH_SIZE: number = 14;

export const BORDERS = ["include", "exclude"] as const;
/** Whether what is left where the image is no multiple of the patch is smaller patches, or is never masked. */
export type Border = (typeof BORDERS)[number];

/** How an image is cut into patches; either by their size or by their number. */
export interface GridOptions {
  /** Pixels, one number or [width, height]; 14 if neither this nor `grid` is said. */
  readonly patchSize?: number | readonly [width: number, height: number] | undefined;
  /** Number of patches, [columns, rows]: a pixel belongs to the patch under its centre. */
  readonly grid?: readonly [columns: number, rows: number] | undefined;
  /** Where the image is no multiple of the patch: "include" the rest as smaller patches (default, authors), or leave it. */
  readonly border?: Border | undefined;
  /** Pixels by which the grid is shifted, [right, down], each less than a patch; 0. */
  readonly offset?: readonly [right: number, down: number] | undefined;
  /**
   * Pixels of a cell of the vision encoder's own grid (14, or 28 where four patches become one token): throws ERR_SHAPE
   * unless every line of the grid lies on one of its lines.
   */
  readonly alignedTo?: number | undefined;
}

export const GRID_OPTIONS = ["patchSize", "grid", "border", "offset", "alignedTo"] as const;

/** Edges of the patches in pixels: column c is the pixels columnEdges[c] ≤ x < columnEdges[c + 1]. */
export interface PatchGrid {
  readonly width: number;
  readonly height: number;
  readonly columnEdges: Int32Array;
  readonly rowEdges: Int32Array;
}

/** A positive integer up to `most`, or ERR_ARGUMENT or ERR_RANGE. */
export function countOf(
  where: string,
  name: string,
  value: unknown,
  most: number = MOST_PIXELS,
): number {
  if (typeof value === "number" && Number.isInteger(value) && value > 0 && value <= most) {
    return value;
  }
  const what = `${name} to be an integer in 1…${most}`;
  const code = typeof value === "number" ? "ERR_RANGE" : "ERR_ARGUMENT";
  throw expected(code, where, what, describe(value));
}

/** An array of exactly so many values, each read once. */
export function listOf(where: string, name: string, value: unknown, length: number): unknown[] {
  if (listLength(value) === length) {
    return Array.from({ length }, (_, i): unknown => (value as readonly unknown[])[i]);
  }
  throw expected("ERR_ARGUMENT", where, `${name} to be an array of ${length}`, describe(value));
}

/** A pair of positive integers, or one for both. */
function pairOf(where: string, name: string, value: unknown): readonly [number, number] {
  if (!isArray(value)) {
    const both = countOf(where, name, value);
    return [both, both];
  }
  const [first, second] = listOf(where, name, value, 2);
  return [countOf(where, `${name}[0]`, first), countOf(where, `${name}[1]`, second)];
}

/** The grid of an image. Throws ERR_ARGUMENT, ERR_RANGE, and ERR_SHAPE for one without a patch or off `alignedTo`. */
export function patchGridOf(
  where: string,
  width: number,
  height: number,
  options: GridOptions,
): PatchGrid {
  const edges = edgesOf(where, width, height, options);
  const [columns, rows] = [edges[0].length - 1, edges[1].length - 1];
  if (columns < 1 || rows < 1) {
    const what = "the image to hold a whole patch, or the border to be included";
    throw expected("ERR_SHAPE", where, what, `${width} × ${height} pixels`);
  }
  if (columns * rows > MOST_PATCHES) {
    const what = `at most ${MOST_PATCHES} patches`;
    throw expected("ERR_RANGE", where, what, `${columns} × ${rows}`);
  }
  if (options.alignedTo !== undefined) {
    const cell = countOf(where, "alignedTo", options.alignedTo);
    checkAligned(where, edges, cell, [width, height]);
  }
  return { width, height, columnEdges: edges[0], rowEdges: edges[1] };
}

function edgesOf(
  where: string,
  width: number,
  height: number,
  options: GridOptions,
): readonly [Int32Array, Int32Array] {
  const { patchSize, grid, border = "include", offset } = options;
  oneOf(where, "border", border, BORDERS);
  if (grid !== undefined) {
    if (patchSize !== undefined || offset !== undefined || options.border !== undefined) {
      const what = "either grid or patchSize, border and offset";
      throw expected("ERR_ARGUMENT", where, what, "both");
    }
    if (!isArray(grid)) {
      throw expected("ERR_ARGUMENT", where, "grid to be [columns, rows]", describe(grid));
    }
    const [columns, rows] = pairOf(where, "grid", grid);
    return [
      edgesInto(evenEdges(columns), columns, width),
      edgesInto(evenEdges(rows), rows, height),
    ];
  }
  const size = pairOf(where, "patchSize", patchSize ?? PATCH_SIZE);
  const shift = offset === undefined ? [0, 0] : listOf(where, "offset", offset, 2);
  const [right, down] = [0, 1].map((i) => shiftOf(where, i, shift[i], size[i] as number));
  return [
    edgesAt(width, size[0], right as number, border),
    edgesAt(height, size[1], down as number, border),
  ];
}

function shiftOf(where: string, index: number, value: unknown, size: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < size) {
    return value + 0;
  }
  const code = typeof value === "number" ? "ERR_RANGE" : "ERR_ARGUMENT";
  const what = `offset[${index}] to be an integer in 0…${size - 1}`;
  throw expected(code, where, what, describe(value));
}

/** Lines at shift, shift + size, …; with the border also at 0 and at the end. */
function edgesAt(length: number, size: number, shift: number, border: Border): Int32Array {
  const first = border === "include" && shift > 0 ? [0] : [];
  const whole = Math.floor((length - shift) / size);
  const edges = [
    ...first,
    ...(shift < length ? Array.from({ length: whole + 1 }, (_, i) => shift + i * size) : []),
  ];
  if (border === "include" && edges.at(-1) !== length) edges.push(length);
  return Int32Array.from(edges);
}

function evenEdges(count: number): Int32Array {
  return Int32Array.from({ length: count + 1 }, (_, i) => i);
}

/**
 * Edges for `from` pixels as edges for `to` pixels. Pixel x of the new size has its centre at (x + ½) · from / to of the
 * old one and belongs to the patch there: edge e becomes ⌈e · to / from − ½⌉, in integers, so that nothing is rounded.
 */
export function edgesInto(edges: Int32Array, from: number, to: number): Int32Array {
  return edges.map((edge) => Math.max(0, Math.ceil((2 * edge * to - from) / (2 * from))));
}

function checkAligned(
  where: string,
  edges: readonly [Int32Array, Int32Array],
  cell: number,
  ends: readonly [number, number],
): void {
  edges.forEach((lines, axis) => {
    const end = ends[axis] as number;
    const off = end % cell === 0 ? lines.find((edge) => edge % cell !== 0) : end;
    if (off === undefined) return;
    const what = `${axis === 0 ? "columns" : "rows"} of patches to lie on multiples of ${cell} pixels`;
    throw expected("ERR_SHAPE", where, what, `one that ends at ${off}`);
  });
}
