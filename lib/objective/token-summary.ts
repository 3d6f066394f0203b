/** Sums over the counted rows of a [rows] line. */

export interface Summary {
  /** Of the finite counted values; 0 where there is none. */
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  /** Counted values that are not finite. */
  readonly infinite: number;
}

/** Mean and ends of the finite counted values. */
export function summaryOf(values: Float64Array, mask: Int32Array | undefined): Summary {
  let sum = 0;
  let finite = 0;
  let infinite = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < values.length; row++) {
    if (!isCounted(mask, row)) continue;
    const value = values[row] as number;
    if (!Number.isFinite(value)) {
      infinite++;
      continue;
    }
    finite++;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (finite === 0) return { mean: 0, min: 0, max: 0, infinite };
  return { mean: sum / finite, min, max, infinite };
}

/** Mean of `f` over the finite counted values; 0 where there is none. */
export function meanOf(
  values: Float64Array,
  mask: Int32Array | undefined,
  f: (value: number) => number,
): number {
  let sum = 0;
  let finite = 0;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as number;
    if (!isCounted(mask, row) || !Number.isFinite(value)) continue;
    finite++;
    sum += f(value);
  }
  return finite === 0 ? 0 : sum / finite;
}

/** Sum of the counted values. */
export function totalOf(values: Float64Array, mask: Int32Array | undefined): number {
  let sum = 0;
  for (let row = 0; row < values.length; row++) {
    if (isCounted(mask, row)) sum += values[row] as number;
  }
  return sum;
}

/** Whether the row counts: no mask, or 1 in it. */
export function isCounted(mask: Int32Array | undefined, row: number): boolean {
  return mask === undefined || mask[row] === 1;
}
