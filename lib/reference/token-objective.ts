/** The op token_objective in float64: every term of every token, and the slopes in its statistics. */
import { checkObject } from "../core/arguments.js";
import { arrayLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { checkArray, checkNumbers, countedRows, notFinite } from "./checks.js";
import { limitedDifference, sampledKl } from "./divergence.js";
import { objectiveNumbers, type TokenObjectiveNumbers } from "./objective-numbers.js";
import { readOnce } from "./read-once.js";
import { clippedSurrogate } from "./surrogate.js";
import { COTANGENTS, type CotangentName } from "./token-stats-grad.js";

/** Names of what is known of every token, in the order of the lines of the native op. */
export const TERMS = [
  "surrogate",
  "refKl",
  "perceptionKl",
  "entropy",
  "maskedEntropy",
  "ratio",
  "clip",
  "gradSurrogate",
  "gradRefKl",
  "gradPerceptionKl",
  "gradEntropy",
  "gradMaskedEntropy",
] as const;
/** The name of a term, or of d loss / d statistic. */
export type TermName = (typeof TERMS)[number];

/**
 * Per token, each [rows]: the value of every term without coefficient and weight; the importance ratio;
 * which clip fired (0 none, 1 low, 2 high, 3 dual); and for every term Σ |its cotangents|, coefficient and weight included.
 */
export type TokenTerms = Readonly<Record<TermName, Float64Array>>;

/** ∂loss/∂statistic of every token, each [rows]. */
export type TokenCotangents = Readonly<Record<CotangentName, Float64Array>>;

/** Options of `tokenObjective`. */
export interface TokenObjectiveOptions extends Partial<TokenObjectiveNumbers> {
  /**
   * Each [rows], nats; `logProbs` is needed always. A term whose statistic is absent is 0:
   * without a masked policy leave out the masked ones and the divergences.
   */
  readonly statistics: Readonly<Partial<Record<CotangentName, ArrayLike<number> | undefined>>>;
  /** [rows] nats, ±Infinity allowed; the policy is its own old policy where absent (ratio 1). Constant. */
  readonly oldLogProbs?: ArrayLike<number> | undefined;
  /** [rows] nats, ±Infinity allowed; the reference term is 0 where absent. Constant. */
  readonly refLogProbs?: ArrayLike<number> | undefined;
  /** [rows] finite, already normalised; the surrogate is 0 where absent. Constant. */
  readonly advantages?: ArrayLike<number> | undefined;
  /** [rows] of 0 and 1; rows with 0 are not read and give 0. */
  readonly responseMask?: ArrayLike<number> | undefined;
  /** [rows] weight of surrogate and divergences in the loss. */
  readonly weights: ArrayLike<number>;
  /** [rows] weight of the entropies in the loss; `weights` where absent. */
  readonly entropyWeights?: ArrayLike<number> | undefined;
  /** [rows] not negative, weight of the perception term in the loss; `weights` where absent. */
  readonly perceptionWeights?: ArrayLike<number> | undefined;
}

/**
 * The terms of the PAPO objective, token by token. Every term is a loss; the perception KL enters with minus:
 *
 *     loss of a token = weight · (surrogate + refKlCoef·refKl) − perceptionWeight · perceptionKlCoef·perceptionKl
 *                     + entropyWeight · (entropyCoef·entropy + maskedEntropyCoef·maskedEntropy)
 *
 * The perception term's value is held within perceptionKlMin…perceptionKlMax, without slope outside; entropies H with a finite
 * entropyLow or entropyHigh are max(0, entropyLow − H) + max(0, H − entropyHigh), without slope between and at the bounds.
 * A sampled token that the policy rules out (log-prob −Infinity) has sampled entropy 0 with slope 0.
 *
 * @throws PapoError ERR_NOT_FINITE for NaN in a counted row, an infinite advantage, and an exact divergence of Infinity
 * that enters the loss without a limit; ERR_SHAPE for lengths that do not fit; ERR_RANGE, ERR_ARGUMENT for the objective
 * @see PAPO (arXiv 2507.06448) eq. 2 and 3, with the signs and the orientation of its published code
 */
export function tokenObjective(options: TokenObjectiveOptions): {
  /** Every term of every token. */
  terms: TokenTerms;
  /** d loss / d statistic of every token. */
  cotangents: TokenCotangents;
} {
  const where = "reference.tokenObjective";
  options = readOnce(where, options);
  const numbers = objectiveNumbers(where, options);
  const { statistics, weights } = options;
  checkObject(where, "statistics", statistics);
  checkArray(where, "statistics.logProbs", statistics.logProbs);
  const rows = arrayLength(statistics.logProbs) as number;
  const inputs = {
    ...statistics,
    oldLogProbs: options.oldLogProbs,
    refLogProbs: options.refLogProbs,
    advantages: options.advantages,
    weights,
    entropyWeights: options.entropyWeights ?? weights,
    perceptionWeights: options.perceptionWeights ?? weights,
  };
  for (const [name, values] of Object.entries(inputs)) {
    if (values !== undefined) checkNumbers(where, name, values, rows);
  }
  const counted = countedRows(where, options.responseMask, rows);

  const terms = lines(TERMS, rows);
  const cotangents = lines(COTANGENTS, rows);
  for (let row = 0; row < rows; row++) {
    if (!counted[row]) continue;
    const input = inputsOfRow(where, inputs, row);
    const perceptionWeight = options.perceptionWeights?.[row] ?? 0;
    if (perceptionWeight < 0) {
      const what = `perceptionWeights[${row}] to be 0 or more`;
      throw expected("ERR_RANGE", where, what, String(perceptionWeight));
    }
    const token = objectiveOfToken(where, numbers, input, row);
    for (const name of TERMS) terms[name][row] = token.terms[name];
    for (const name of COTANGENTS) cotangents[name][row] = token.cotangents[name];
  }
  return { terms, cotangents };
}

type InputName =
  | CotangentName
  | "oldLogProbs"
  | "refLogProbs"
  | "advantages"
  | "weights"
  | "entropyWeights"
  | "perceptionWeights";
type TokenInput = Readonly<Partial<Record<InputName, number>>>;

interface TokenResult {
  terms: Record<TermName, number>;
  cotangents: Record<CotangentName, number>;
}

function objectiveOfToken(
  where: string,
  numbers: TokenObjectiveNumbers,
  input: TokenInput,
  row: number,
): TokenResult {
  const { logRatioLimit, klLimit } = numbers;
  const { weights: weight = 0, entropyWeights: entropyWeight = 0, logProbs: logProb = 0 } = input;
  const maskedIsFree = numbers.maskedBranch === "differentiable";
  const terms = zeros(TERMS);
  const cotangents = zeros(COTANGENTS);
  /** Adds one term's slope in one statistic to the cotangents, and its size to that term's share. */
  const push = (share: TermName, statistic: CotangentName, cotangent: number): void => {
    cotangents[statistic] += cotangent;
    terms[share] += Math.abs(cotangent);
  };

  const logRatio = limitedDifference(logProb, input.oldLogProbs ?? logProb, logRatioLimit);
  terms.ratio = Math.exp(logRatio.value);
  if (input.advantages !== undefined) {
    const surrogate = clippedSurrogate(logRatio, input.advantages, numbers);
    terms.surrogate = surrogate.value;
    terms.clip = surrogate.clip;
    push("gradSurrogate", "logProbs", weight * surrogate.slope);
  }

  if (input.refLogProbs !== undefined) {
    const x = limitedDifference(input.refLogProbs, logProb, logRatioLimit);
    const refKl = sampledKl(numbers.refKlEstimator, x, logRatio, klLimit);
    terms.refKl = refKl.value;
    push("gradRefKl", "logProbs", weight * times(numbers.refKlCoef, refKl.policySlope));
  }

  const perceptionFactor = -numbers.perceptionKlCoef * (input.perceptionWeights ?? 0);
  const least = numbers.perceptionKlMin ?? -Infinity;
  const most = numbers.perceptionKlMax ?? Infinity;
  /** The value of the perception term within its bounds, and whether it was within them. */
  const hold = (value: number) => {
    terms.perceptionKl = Math.min(Math.max(value, least), most);
    return value >= least && value <= most;
  };
  const estimator = numbers.perceptionKlEstimator;
  if (estimator === "exact" || estimator === "exact-reverse") {
    const statistic = estimator === "exact" ? "kl" : "reverseKl";
    const limit = numbers.exactKlLimit ?? Infinity;
    const value = input[statistic];
    if (value !== undefined) {
      const noLimit = limit === Infinity && most === Infinity;
      if (value === Infinity && noLimit && numbers.perceptionKlCoef !== 0) {
        const what = `${statistic}[${row}] to be finite, or an exactKlLimit`;
        throw notFinite(where, what, row, "Infinity");
      }
      const free = hold(Math.min(value, limit)) && value <= limit;
      push("gradPerceptionKl", statistic, free ? perceptionFactor : 0);
    }
  } else if (input.maskedLogProbs !== undefined) {
    const x = limitedDifference(input.maskedLogProbs, logProb, logRatioLimit);
    const kl = sampledKl(estimator, x, logRatio, klLimit);
    const factor = hold(kl.value) ? perceptionFactor : 0;
    push("gradPerceptionKl", "logProbs", times(factor, kl.policySlope));
    if (maskedIsFree) push("gradPerceptionKl", "maskedLogProbs", times(factor, kl.otherSlope));
  }

  const entropyFactor = numbers.entropyCoef * entropyWeight;
  const maskedEntropyFactor = numbers.maskedEntropyCoef * entropyWeight;
  if (numbers.entropyEstimator === "exact") {
    if (input.entropy !== undefined) {
      const { value, slope } = hinged(input.entropy, numbers);
      terms.entropy = value;
      push("gradEntropy", "entropy", slope * entropyFactor);
    }
    if (input.maskedEntropy !== undefined) {
      const { value, slope } = hinged(input.maskedEntropy, numbers);
      terms.maskedEntropy = value;
      if (maskedIsFree) push("gradMaskedEntropy", "maskedEntropy", slope * maskedEntropyFactor);
    }
  } else {
    if (logProb !== -Infinity) {
      const { value, slope } = hinged(0 - logProb, numbers);
      terms.entropy = value;
      push("gradEntropy", "logProbs", -slope * entropyFactor);
    }
    if (input.maskedLogProbs !== undefined && input.maskedLogProbs !== -Infinity) {
      const { value, slope } = hinged(0 - input.maskedLogProbs, numbers);
      terms.maskedEntropy = value;
      if (maskedIsFree) push("gradMaskedEntropy", "maskedLogProbs", -slope * maskedEntropyFactor);
    }
  }
  return { terms, cotangents };
}

/** An entropy, or how far it lies outside its bounds where it has any; at a bound it is inside. */
function hinged(
  entropy: number,
  { entropyLow, entropyHigh }: TokenObjectiveNumbers,
): { value: number; slope: number } {
  const low = entropyLow ?? -Infinity;
  const high = entropyHigh ?? Infinity;
  if (low === -Infinity && high === Infinity) return { value: entropy, slope: 1 };
  const value = Math.max(0, low - entropy) + Math.max(0, entropy - high);
  return { value, slope: entropy < low ? -1 : entropy > high ? 1 : 0 };
}

/** A product in which a factor of 0 wins over Infinity: a term without a coefficient has no gradient. */
function times(factor: number, slope: number): number {
  return factor === 0 ? 0 : factor * slope;
}

/** The loss of one token: its terms with their coefficients, signs and weights. */
export function lossOfToken(
  terms: TokenTerms,
  row: number,
  weight: number,
  entropyWeight: number,
  numbers: TokenObjectiveNumbers,
  perceptionWeight: number = weight,
): number {
  const of = (name: TermName, coefficient: number): number =>
    times(coefficient, terms[name][row] as number);
  return (
    of("surrogate", weight) +
    of("refKl", weight * numbers.refKlCoef) -
    of("perceptionKl", perceptionWeight * numbers.perceptionKlCoef) +
    of("entropy", entropyWeight * numbers.entropyCoef) +
    of("maskedEntropy", entropyWeight * numbers.maskedEntropyCoef)
  );
}

const MAY_BE_INFINITE: ReadonlySet<string> = new Set([
  "logProbs",
  "maskedLogProbs",
  "oldLogProbs",
  "refLogProbs",
  "kl",
  "reverseKl",
]);

function inputsOfRow(
  where: string,
  inputs: Readonly<Partial<Record<InputName, ArrayLike<number> | undefined>>>,
  row: number,
): TokenInput {
  // Inherits nothing: what somebody left in Object.prototype is no statistic.
  const input: Partial<Record<InputName, number>> = Object.create(null);
  for (const [name, values] of Object.entries(inputs)) {
    if (values === undefined) continue;
    const value = values[row] as number;
    const mayBeInfinite = MAY_BE_INFINITE.has(name);
    if (mayBeInfinite ? Number.isNaN(value) : !Number.isFinite(value)) {
      const what = `${name}[${row}] to be ${mayBeInfinite ? "a number" : "finite"}`;
      throw notFinite(where, what, row, describe(value));
    }
    input[name as InputName] = value;
  }
  return input;
}

function lines<Name extends string>(
  names: readonly Name[],
  rows: number,
): Record<Name, Float64Array> {
  return Object.fromEntries(names.map((name) => [name, new Float64Array(rows)])) as Record<
    Name,
    Float64Array
  >;
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}
