/** The op token_stats_merge in float64: the states of any number of parts of the vocabulary as one. */
import { listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { checkCount } from "./checks.js";
import { readOnce } from "./read-once.js";
import {
  checkStates,
  emptyStates,
  NO_REFERENCE,
  POLICIES,
  type PolicyLine,
  type TokenStates,
} from "./token-stats-partial.js";

/** Options of `tokenStatsMerge`. */
export interface TokenStatsMergeOptions {
  /** Of parts that have no column in common. */
  readonly states: readonly TokenStates[];
  /** Rows there are, counted or not. */
  readonly rows: number;
}

/**
 * The states of all parts together.
 *
 * With R the largest reference of each policy and s = e^(r − R), a part's sum becomes s·sum, its dot
 * s·(dot + (r − R)·sum), and its cross s·(cross + ((r − R) − (r̃ − R̃))·sum); the parts then add up.
 *
 * @throws PapoError ERR_ARGUMENT for what is no array of states, ERR_SHAPE where their rows differ
 */
export function tokenStatsMerge(options: TokenStatsMergeOptions): TokenStates {
  const where = "reference.tokenStatsMerge";
  options = readOnce(where, options);
  const { rows } = options;
  checkCount(where, "rows", rows);
  const count = listLength(options.states);
  if (count === undefined) {
    throw expected("ERR_ARGUMENT", where, "states to be an array", describe(options.states));
  }
  const parts: TokenStates[] = [];
  for (let i = 0; i < count; i++) {
    const part = options.states[i] as TokenStates;
    checkStates(where, `states[${i}]`, part, rows);
    parts.push(part);
  }
  const merged = emptyStates(rows);
  for (let row = 0; row < rows; row++) {
    mergePolicy(merged, parts, row, 0);
    mergePolicy(merged, parts, row, 1);
  }
  return merged;
}

function mergePolicy(
  merged: TokenStates,
  parts: readonly TokenStates[],
  row: number,
  policy: 0 | 1,
): void {
  const at = (states: TokenStates, line: PolicyLine, of: 0 | 1 = policy) =>
    states[(POLICIES[of] as (typeof POLICIES)[number])[line]][row] as number;
  const set = (line: PolicyLine, value: number) => {
    merged[(POLICIES[policy] as (typeof POLICIES)[number])[line]][row] = value;
  };
  const largest = (line: PolicyLine, of: 0 | 1 = policy) =>
    parts.reduce((max, part) => Math.max(max, at(part, line, of)), -Infinity);

  const other = policy === 0 ? 1 : 0;
  const reference = largest("reference");
  const otherReference = largest("reference", other);
  let [sum, dot, cross] = [0, 0, 0];
  for (const part of parts) {
    const partSum = at(part, "sum");
    const otherSum = at(part, "sum", other);
    if (partSum === 0) {
      // A policy without mass still carries the other one's NaN.
      cross += Number.isNaN(otherSum) ? Number.NaN : 0;
      continue;
    }
    const shift = at(part, "reference") - reference;
    const scale = Math.exp(shift);
    sum += scale * partSum;
    if (scale === 0) continue;
    dot += scale * (at(part, "dot") + shift * partSum);
    if (otherSum === 0) continue;
    const otherShift = at(part, "reference", other) - otherReference;
    cross += scale * (at(part, "cross") + (shift - otherShift) * partSum);
  }
  set("reference", parts.length === 0 || Number.isNaN(sum) ? NO_REFERENCE : reference);
  set("sum", sum);
  set("dot", dot);
  set("cross", cross);
  set("uncovered", Number.isNaN(sum) ? -Infinity : largest("uncovered"));
  set("chosen", largest("chosen"));
}
