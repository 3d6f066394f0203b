/** The tokens at which a quantity is largest: its top fraction, per sequence or over the batch. */
import { quantileOf } from "./quantile.js";

/** Among which tokens a token has to be at the top. */
export const TOP_TOKEN_LEVELS = ["sequence", "batch"] as const;
export type TopTokenLevel = (typeof TOP_TOKEN_LEVELS)[number];

/**
 * "quantile": every token with a value ≥ the (1 − top)-quantile, so ties can make it more than the fraction (PAPO, TRL).
 * "count": exactly ⌈top · n⌉ of n tokens, earlier ones first among equals (VPPO).
 */
export const TOP_TOKEN_CHOICES = ["quantile", "count"] as const;
export type TopTokenChoice = (typeof TOP_TOKEN_CHOICES)[number];

export interface TopTokenRule {
  /** Fraction of tokens, 0 < top ≤ 1; 1 keeps all that count. */
  readonly top: number;
  readonly level: TopTokenLevel;
  /** "quantile" if not said. */
  readonly choice?: TopTokenChoice;
  /** The least value that is kept, from the whole batch, where this call sees a part of it; then `top` is not read. */
  readonly threshold?: number | undefined;
}

/**
 * [rows] 1 for counted tokens at the top, otherwise 0. Nothing is checked here; `topTokenMask` is the door.
 * A NaN is never at the top, except with top 1, which compares nothing.
 *
 * @see PAPO authors' dp_actor.py:341-350 (sequence, 0.2); TRL grpo_trainer.py:1396-1432 (batch, entropy);
 * VPPO (arXiv 2510.09285), its repository's dp_actor.py: sequence, count, 0.4
 */
export function topTokens(
  values: Float64Array,
  offsets: Int32Array,
  mask: Int32Array | undefined,
  rule: TopTokenRule,
): Int32Array {
  const keep = new Int32Array(values.length);
  const { top, threshold, choice = "quantile" } = rule;
  const among = (start: number, end: number) => {
    if (threshold !== undefined) keepFrom(keep, values, mask, threshold, start, end);
    else if (top >= 1) keepCounted(keep, mask, start, end);
    else if (choice === "count") keepLargest(keep, values, mask, top, start, end);
    else keepFrom(keep, values, mask, quantileOf(values, mask, 1 - top, start, end), start, end);
  };
  if (rule.level === "batch") among(0, values.length);
  else
    for (let s = 0; s + 1 < offsets.length; s++)
      among(offsets[s] as number, offsets[s + 1] as number);
  return keep;
}

function keepCounted(
  keep: Int32Array,
  mask: Int32Array | undefined,
  start: number,
  end: number,
): void {
  for (let row = start; row < end; row++) keep[row] = mask?.[row] === 0 ? 0 : 1;
}

function keepFrom(
  keep: Int32Array,
  values: Float64Array,
  mask: Int32Array | undefined,
  threshold: number,
  start: number,
  end: number,
): void {
  for (let row = start; row < end; row++) {
    keep[row] = mask?.[row] !== 0 && (values[row] as number) >= threshold ? 1 : 0;
  }
}

function keepLargest(
  keep: Int32Array,
  values: Float64Array,
  mask: Int32Array | undefined,
  top: number,
  start: number,
  end: number,
): void {
  const rows: number[] = [];
  for (let row = start; row < end; row++) if (mask?.[row] !== 0) rows.push(row);
  // A product that rounding has lifted above an integer is that integer.
  const count = Math.min(rows.length, Math.max(1, Math.ceil(rows.length * top - 1e-9)));
  // The sort is stable: earlier ones first among equals.
  const ordered = rows
    .filter((row) => !Number.isNaN(values[row]))
    .sort((a, b) => descending(values[a] as number, values[b] as number));
  for (const row of ordered.slice(0, count)) keep[row] = 1;
}

function descending(a: number, b: number): number {
  return a === b ? 0 : a > b ? -1 : 1;
}
