/** Which patches are masked: one rule per strategy, over patches in row-major order. */

/**
 * The authors' rule: every patch on its own, masked if its uniform is below the ratio. Rows outer, columns inner, one
 * uniform per patch, border patches included; ratio 0 masks none and 1 all, and both draw as many.
 *
 * @see PAPO authors, verl/trainer/papo_utils.py:17-30
 */
export function bernoulli(next: () => number, patches: number, ratio: number): Uint8Array {
  return new Uint8Array(patches).map(() => (next() < ratio ? 1 : 0));
}

/** ⌊ratio · patches⌋, the product rounded to float64 as every language does. */
export function countFor(patches: number, ratio: number): number {
  return Math.floor(ratio * patches);
}

/**
 * Exactly ⌊ratio · patches⌋ patches, any set of them as likely as any other: those with the smallest uniforms, earlier
 * ones first among equals. It draws what `bernoulli` draws, and of one set of draws a smaller ratio masks a part of what
 * a larger one masks.
 */
export function exactCount(next: () => number, patches: number, ratio: number): Uint8Array {
  const draws = new Float64Array(patches).map(() => -next());
  return largest(draws, countFor(patches, ratio));
}

/** 1 for the `count` largest, earlier ones first among equals (0 equals −0). */
export function largest(values: Float64Array, count: number): Uint8Array {
  const chosen = new Uint8Array(values.length);
  if (count <= 0) return chosen;
  const ordered = values.slice().sort();
  const least = ordered[values.length - count] as number;
  // −0 and 0 are sorted apart, so those above are counted by comparison.
  let equal = count;
  for (const value of values) if (value > least) equal--;
  values.forEach((value, i) => {
    if (value > least || (value === least && equal-- > 0)) chosen[i] = 1;
  });
  return chosen;
}
