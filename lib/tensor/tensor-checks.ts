/** Checks of what a tensor is told: its pitch, its length, its gradient, and memory to copy it to. */
import type { Device } from "../core/device.js";
import { checkDType, type DType } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { type Shape, showShape, sizeOf } from "../core/shape.js";
import { overlapOf } from "./overlap.js";
import type { Tensor } from "./tensor.js";

/** The dtype of memory that no array tells it of. Throws ERR_DTYPE. */
export function saidDType(where: string, dtype: DType | undefined): DType {
  checkDType(where, dtype);
  return dtype;
}

/** Rows and columns of a shape, and the elements from row to row. */
export interface Extent {
  readonly rows: number;
  readonly columns: number;
  readonly rowPitch: number;
}

/** The extent of a checked shape; its pitch, if none is said, is its columns. Throws ERR_ARGUMENT, ERR_SHAPE. */
export function extentOf(where: string, shape: Shape, rowPitch: number | undefined): Extent {
  const isMatrix = shape.length >= 2;
  const columns = isMatrix ? (shape.at(-1) as number) : 1;
  const rows = isMatrix ? sizeOf(shape.slice(0, -1)) : sizeOf(shape);
  if (rowPitch === undefined) return { rows, columns, rowPitch: columns };
  if (!isMatrix) {
    throw expected("ERR_ARGUMENT", where, "rowPitch only with rank 2 or 3", describe(rowPitch));
  }
  if (!Number.isSafeInteger(rowPitch) || rowPitch < columns) {
    const what = `rowPitch to be an integer of at least ${columns} elements`;
    throw expected("ERR_SHAPE", where, what, describe(rowPitch));
  }
  return { rows, columns, rowPitch };
}

/** Elements from the first to the last one that counts. */
export function neededLength({ rows, columns, rowPitch }: Extent): number {
  return rows === 0 || columns === 0 ? 0 : (rows - 1) * rowPitch + columns;
}

/** Elements of memory that is made: the gap behind the last row is part of it. */
export function roomOf({ rows, columns, rowPitch }: Extent): number {
  return columns === 0 ? 0 : rows * rowPitch;
}

/** Throws ERR_SHAPE where `length` elements are too few. */
export function checkLength(
  where: string,
  tensor: Extent & Pick<Tensor, "shape">,
  length: number,
): void {
  const needed = neededLength(tensor);
  if (length >= needed) return;
  const { columns, rowPitch, shape } = tensor;
  const pitch = rowPitch === columns ? "" : ` with rowPitch ${rowPitch}`;
  const what = `at least ${needed} elements for shape ${showShape(shape)}${pitch}`;
  throw expected("ERR_SHAPE", where, what, `${length}`);
}

/** Throws ERR_ARGUMENT for what is no boolean, ERR_DTYPE for a gradient of integers. */
export function checkRequiresGrad(where: string, value: unknown, dtype: DType): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") {
    throw expected("ERR_ARGUMENT", where, "requiresGrad to be a boolean", describe(value));
  }
  if (value && dtype === "int32") {
    throw expected("ERR_DTYPE", where, "a floating-point dtype for requiresGrad", dtype);
  }
  return value;
}

/** Throws ERR_SHAPE, ERR_DTYPE, ERR_DEVICE_MISMATCH, ERR_BUFFER unless `of` can be copied to `out` on `device`. */
export function checkOut(where: string, of: Tensor, device: Device, out: Tensor): void {
  if (showShape(out.shape) !== showShape(of.shape)) {
    throw expected("ERR_SHAPE", where, `out ${showShape(of.shape)}`, showShape(out.shape));
  }
  if (out.dtype !== of.dtype) {
    throw expected("ERR_DTYPE", where, `out to hold ${of.dtype}`, out.dtype);
  }
  if (out.device !== device) {
    throw expected("ERR_DEVICE_MISMATCH", where, `out on ${device}`, `one on ${out.device}`);
  }
  if (overlapOf(where, of, out) === "part") {
    throw expected("ERR_BUFFER", where, "out in memory of its own", "memory that overlaps");
  }
}
