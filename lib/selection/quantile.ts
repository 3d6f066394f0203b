/** The quantile of the counted tokens, as torch.nanquantile has it. */

/**
 * The q-quantile of the counted values in [start, end), by linear interpolation: with n values v₀ ≤ … ≤ v₍ₙ₋₁₎, the point
 * q·(n − 1) on the line through them. NaN is left out. NaN without a value.
 *
 * Between a finite and an infinite value lies the infinite one, between −Infinity and +Infinity the former.
 *
 * @see torch.nanquantile(interpolation="linear"); PAPO authors' dp_actor.py:341-350, TRL grpo_trainer.py:1396-1432
 */
export function quantileOf(
  values: Float64Array,
  mask: Int32Array | undefined,
  q: number,
  start: number = 0,
  end: number = values.length,
): number {
  const sorted = countedValues(values, mask, start, end).sort();
  if (sorted.length === 0) return Number.NaN;
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  const part = position - below;
  if (part === 0 || low === high || low === -Infinity) return low;
  return high === Infinity ? high : low + part * (high - low);
}

/** Counted values that are numbers, in a new array. */
function countedValues(
  values: Float64Array,
  mask: Int32Array | undefined,
  start: number,
  end: number,
): Float64Array {
  const counted = new Float64Array(end - start);
  let count = 0;
  for (let row = start; row < end; row++) {
    const value = values[row] as number;
    if (mask?.[row] === 0 || Number.isNaN(value)) continue;
    counted[count++] = value;
  }
  return counted.subarray(0, count);
}
