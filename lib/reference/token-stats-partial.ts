/** The op token_stats_partial in float64: what the logits of a part of the vocabulary say about the sampled token. */
import { checkObject } from "../core/arguments.js";
import { checkNumber, checkNumbers } from "./checks.js";
import { readOnce } from "./read-once.js";
import {
  checkLogitsInput,
  checkVocabSize,
  type LogitsInput,
  type LogitsName,
} from "./token-stats.js";

/** Names of the numbers in a state, in the order of the lines of the native op. */
export const STATES = [
  "reference",
  "maskedReference",
  "sum",
  "maskedSum",
  "dot",
  "maskedDot",
  "cross",
  "maskedCross",
  "uncovered",
  "maskedUncovered",
  "chosen",
  "maskedChosen",
] as const;
/** The name of a number that a state of a row is made of. */
export type StateName = (typeof STATES)[number];

/**
 * States over a part of the vocabulary, each line [rows]. With z = logit / temperature and the columns v of the part:
 *
 * - `reference`   a number r near the largest z; `NO_REFERENCE` where no z is finite
 * - `sum`         Σ e^(z − r); NaN where some z is NaN or +Infinity, and then the other sums are NaN too
 * - `dot`         Σ e^(z − r)·(z − r)
 * - `cross`       Σ e^(z − r)·((z − r) − (z̃ − r̃)) over the columns where z̃, the other policy's z, is not −Infinity
 * - `uncovered`   the largest z among the columns where z̃ is −Infinity; −Infinity if there is none
 * - `chosen`      the sampled token's logit, before the temperature; −Infinity where another part holds it
 *
 * and the same with both policies exchanged. Rows that do not count, and the masked lines without masked logits, hold
 * what a part of only −Infinity gives.
 */
export type TokenStates = Readonly<Record<StateName, Float64Array>>;

/** Lines of one policy. */
export type PolicyLine = "reference" | "sum" | "dot" | "cross" | "uncovered" | "chosen";
export const POLICIES: readonly Readonly<Record<PolicyLine, StateName>>[] = [
  {
    reference: "reference",
    sum: "sum",
    dot: "dot",
    cross: "cross",
    uncovered: "uncovered",
    chosen: "chosen",
  },
  {
    reference: "maskedReference",
    sum: "maskedSum",
    dot: "maskedDot",
    cross: "maskedCross",
    uncovered: "maskedUncovered",
    chosen: "maskedChosen",
  },
];

/** The lowest finite float32 number. */
export const NO_REFERENCE: number = -(2 - 2 ** -23) * 2 ** 127;

export interface TokenStatsPartialOptions extends LogitsInput {
  /** Tokens of the vocabulary before the first column; 0 by default. `tokenIds` count from its start. */
  readonly vocabOffset?: number | undefined;
  /** Tokens of the whole vocabulary; those up to the last column by default. */
  readonly vocabTotal?: number | undefined;
}

/**
 * The state of every counted row over the columns given.
 *
 * @throws PapoError ERR_SHAPE for lengths that do not fit, ERR_RANGE for a token id outside the whole vocabulary, for
 * columns past its end, or a mask that is not 0 or 1
 */
export function tokenStatsPartial(options: TokenStatsPartialOptions): TokenStates {
  const where = "reference.tokenStatsPartial";
  options = readOnce(where, options);
  const { rows, vocabSize, tokenIds, vocabOffset = 0 } = options;
  checkVocabSize(where, vocabSize);
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
  checkNumber(where, "vocabOffset", vocabOffset, "an integer from 0 up", isCount);
  const end = vocabOffset + vocabSize;
  const { vocabTotal = end } = options;
  const isTotal = (value: number) => isCount(value) && !(value < end);
  checkNumber(where, "vocabTotal", vocabTotal, `an integer from ${end} up`, isTotal);
  const counted = checkLogitsInput(where, options, vocabTotal);

  const states = emptyStates(rows);
  for (let row = 0; row < rows; row++) {
    if (!counted[row]) continue;
    const column = (tokenIds[row] as number) - vocabOffset;
    const z = scaledRow(options, "logits", row);
    const masked = options.maskedLogits && scaledRow(options, "maskedLogits", row);
    addPolicy(states, 0, row, z, masked);
    if (masked) addPolicy(states, 1, row, masked, z);
    if (column < 0 || column >= vocabSize) continue;
    states.chosen[row] = chosenLogit(options, "logits", row, column);
    if (masked) states.maskedChosen[row] = chosenLogit(options, "maskedLogits", row, column);
  }
  return states;
}

/** States of nothing. */
export function emptyStates(rows: number): TokenStates {
  const initial = (name: StateName) =>
    /reference$/i.test(name) ? NO_REFERENCE : /uncovered$|chosen$/i.test(name) ? -Infinity : 0;
  const entries = STATES.map((name) => [name, new Float64Array(rows).fill(initial(name))]);
  return Object.fromEntries(entries) as TokenStates;
}

/** Checks that every line is there and has `rows` numbers. */
export function checkStates(where: string, name: string, states: TokenStates, rows: number): void {
  checkObject(where, name, states);
  for (const line of STATES) checkNumbers(where, `${name}.${line}`, states[line], rows);
}

function addPolicy(
  states: TokenStates,
  policy: 0 | 1,
  row: number,
  z: Float64Array,
  other: Float64Array | undefined,
): void {
  const lines = POLICIES[policy] as (typeof POLICIES)[number];
  const [broken, otherBroken] = [isBroken(z), other !== undefined && isBroken(other)];
  if (broken) for (const name of ["sum", "dot"] as const) states[lines[name]][row] = Number.NaN;
  if (broken || otherBroken) states[lines.cross][row] = Number.NaN;
  const reference = largest(z);
  if (broken || reference === -Infinity) return;

  const otherReference = other === undefined ? -Infinity : largest(other);
  let [sum, dot, cross, uncovered] = [0, 0, 0, -Infinity];
  z.forEach((value, v) => {
    if (value === -Infinity) return;
    const t = value - reference;
    const e = Math.exp(t);
    sum += e;
    dot += e * t;
    if (other === undefined || otherBroken) return;
    if (other[v] === -Infinity) uncovered = Math.max(uncovered, value);
    else cross += e * (t - ((other[v] as number) - otherReference));
  });
  states[lines.reference][row] = reference;
  states[lines.sum][row] = sum;
  states[lines.dot][row] = dot;
  states[lines.uncovered][row] = uncovered;
  if (!otherBroken) states[lines.cross][row] = cross;
}

function isBroken(z: Float64Array): boolean {
  return z.some((value) => Number.isNaN(value) || value === Infinity);
}

function largest(z: Float64Array): number {
  return z.reduce((max, value) => Math.max(max, value), -Infinity);
}

function logitAt(options: LogitsInput, name: LogitsName, row: number, column: number): number {
  const { vocabSize, rowPitch = vocabSize } = options;
  return (options[name] as ArrayLike<number>)[row * rowPitch + column] as number;
}

/** The sampled token's logit; −Infinity where its row is broken, which the sums say already. */
function chosenLogit(options: LogitsInput, name: LogitsName, row: number, column: number): number {
  return isBroken(scaledRow(options, name, row)) ? -Infinity : logitAt(options, name, row, column);
}

function scaledRow(options: LogitsInput, name: LogitsName, row: number): Float64Array {
  const { vocabSize, temperature = 1 } = options;
  return Float64Array.from(
    { length: vocabSize },
    (_, v) => logitAt(options, name, row, v) / temperature,
  );
}
