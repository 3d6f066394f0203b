/** A patch mask: which rectangles of an image are replaced, as plain data. */

import { checkObject, readOptions } from "../core/arguments.js";
import { arrayLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { typedArrayClass, typedArrayLength } from "../core/typed-array.js";
import { countOf, edgesInto, MOST_PATCHES, MOST_PIXELS, type PatchGrid } from "./grid.js";

/** Which patches of an image are masked. Plain data: it can be stored with a batch and applied later. */
export interface PatchMask extends PatchGrid {
  /** Size in pixels of the image it was drawn for. */
  readonly width: number;
  /** Pixels of the image it was drawn for, from top to bottom. */
  readonly height: number;
  /** [columns + 1] pixels: patch column c is columnEdges[c] ≤ x < columnEdges[c + 1]; pixels outside all are kept. */
  readonly columnEdges: Int32Array;
  /** [rows + 1] pixels. */
  readonly rowEdges: Int32Array;
  /** Patches across. */
  readonly columns: number;
  /** Patches down. */
  readonly rows: number;
  /** [rows · columns] row-major, 1 = masked. */
  readonly patches: Uint8Array;
  /** Number of masked patches. */
  readonly masked: number;
  /** Realised ratio: masked patches / patches. */
  readonly ratio: number;
  /** Masked pixels / pixels: border patches are smaller, and an excluded border is never masked. */
  readonly pixelRatio: number;
}

/** The mask of these patches, with its figures. */
export function patchMaskOf(grid: PatchGrid, patches: Uint8Array): PatchMask {
  const { width, height, columnEdges, rowEdges } = grid;
  const [columns, rows] = [columnEdges.length - 1, rowEdges.length - 1];
  let [masked, pixels] = [0, 0];
  for (let row = 0, patch = 0; row < rows; row++) {
    const tall = size(rowEdges, row);
    for (let column = 0; column < columns; column++, patch++) {
      if (patches[patch] === 0) continue;
      masked++;
      pixels += tall * size(columnEdges, column);
    }
  }
  return Object.freeze({
    width,
    height,
    columnEdges,
    rowEdges,
    columns,
    rows,
    patches,
    masked,
    ratio: masked / patches.length,
    pixelRatio: pixels / (width * height),
  });
}

function size(edges: Int32Array, index: number): number {
  return (edges[index + 1] as number) - (edges[index] as number);
}

/**
 * The same patches masked on an image of another size: one drawn before a resize for the image after it, or one drawn on
 * the encoder's grid for the raw image. A pixel belongs to the patch under its centre, at (x + ½) · old / new: edge e
 * becomes ⌈e · new / old − ½⌉. No pixel is blended, unlike where the masked image itself is resized (the authors mask
 * first, so that interpolation softens their edges). Strong shrinking may leave a patch without pixels; `pixelRatio` says.
 *
 * @param size  pixels of the other image; whatever else it holds (data, channels, …) is not read
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE
 */
export function resizePatchMask(
  mask: PatchMask,
  size: { readonly width: number; readonly height: number },
): PatchMask {
  const where = "resizePatchMask";
  const from = readPatchMask(where, mask);
  checkObject(where, "size", size);
  const [wide, high] = [size.width, size.height];
  const width = countOf(where, "width", wide);
  const height = countOf(where, "height", high);
  const columnEdges = edgesInto(from.columnEdges, from.width, width);
  const rowEdges = edgesInto(from.rowEdges, from.height, height);
  return patchMaskOf({ width, height, columnEdges, rowEdges }, from.patches);
}

/** A checked copy of a mask that came from outside, its figures counted afresh. */
export function readPatchMask(where: string, mask: PatchMask): PatchMask {
  const given = readOptions(
    where,
    mask,
    [
      "width",
      "height",
      "columnEdges",
      "rowEdges",
      "columns",
      "rows",
      "patches",
      "masked",
      "ratio",
    ].concat("pixelRatio") as (keyof PatchMask)[],
    "mask",
  );
  const width = countOf(where, "mask.width", given.width);
  const height = countOf(where, "mask.height", given.height);
  const columnEdges = readEdges(where, "mask.columnEdges", given.columnEdges, width);
  const rowEdges = readEdges(where, "mask.rowEdges", given.rowEdges, height);
  const count = (columnEdges.length - 1) * (rowEdges.length - 1);
  if (count > MOST_PATCHES) {
    throw expected("ERR_RANGE", where, `at most ${MOST_PATCHES} patches`, `${count}`);
  }
  const patches = readPatches(where, "mask.patches", given.patches, count);
  return patchMaskOf({ width, height, columnEdges, rowEdges }, patches);
}

function readEdges(where: string, name: string, edges: unknown, end: number): Int32Array {
  const length = typedArrayClass(edges) === "Int32Array" ? typedArrayLength(edges as object) : 0;
  if (length < 2 || length > MOST_PIXELS + 1) {
    const what = `${name} to be an Int32Array of at least 2 and at most ${MOST_PIXELS + 1} edges`;
    throw expected("ERR_ARGUMENT", where, what, describe(edges));
  }
  const copy = new Int32Array(length);
  copy.set(edges as Int32Array);
  copy.forEach((edge, i) => {
    const low = i === 0 ? 0 : (copy[i - 1] as number);
    if (edge >= low && edge <= end) return;
    throw expected("ERR_RANGE", where, `${name}[${i}] to be in ${low}…${end}`, `${edge}`);
  });
  return copy;
}

/** [count] 0 or 1 of an array of numbers or booleans. */
export function readPatches(
  where: string,
  name: string,
  value: unknown,
  count: number,
): Uint8Array {
  const length = arrayLength(value);
  if (length !== count) {
    const code = length === undefined ? "ERR_ARGUMENT" : "ERR_SHAPE";
    const what = `${name} to be an array of ${count}, one for each patch`;
    throw expected(code, where, what, describe(value));
  }
  return Uint8Array.from({ length: count }, (_, i) => {
    const entry: unknown = (value as ArrayLike<unknown>)[i];
    if (entry === 1 || entry === true) return 1;
    if (entry === 0 || entry === false) return 0;
    throw expected("ERR_RANGE", where, `${name}[${i}] to be 0 or 1`, describe(entry));
  });
}
