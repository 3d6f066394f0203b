/** What is worth logging about one evaluation, as a flat record of numbers computed from the [rows] lines. */
import { line, STATISTICS, type StatisticName, TERMS, type TermName } from "../ops/lines.js";
import type { Measured } from "./measured.js";
import { isCounted, meanOf, summaryOf, totalOf } from "./token-summary.js";

/**
 * Means over the counted tokens (response mask 1, not skipped), except where a key says otherwise.
 *
 * - What was not measured is absent, not 0: no `refKl` without `refLogProbs`, no ratio without `oldLogProbs`, no exact
 *   entropy where only log-probs were given. A batch without any counted token gives 0 for everything it could measure.
 * - Every number is finite: a mean leaves out tokens whose value is infinite, and `impossibleTokens` and
 *   `infiniteKlTokens` say how many those are.
 * - Local to this batch, whatever `denominators` say: to merge micro-batches, weight by `tokens`.
 */
export interface Metrics {
  /** Counted tokens. */
  readonly tokens: number;
  /** Sequences, those without a counted token included. */
  readonly sequences: number;
  /** Rows that were left out by `onInvalid: "skip"`. */
  readonly skippedRows: number;
  /** Counted tokens that the policy gives probability 0: log-prob −Infinity. */
  readonly impossibleTokens: number;
  /** Counted tokens of a sequence. */
  readonly responseLengthMean: number;
  readonly responseLengthMin: number;
  readonly responseLengthMax: number;
  /** Log-prob of the sampled token, nats; its negative is the sampled entropy. */
  readonly logProbs: number;
  /** The same under the masked policy. */
  readonly maskedLogProbs?: number;
  /** Exact entropy of the policy, nats. */
  readonly entropy?: number;
  /** Exact entropy of the masked policy, nats. */
  readonly maskedEntropy?: number;
  /** Exact KL(policy ‖ masked policy), nats. */
  readonly kl?: number;
  /** Exact KL(masked policy ‖ policy), nats. */
  readonly reverseKl?: number;
  /** Counted tokens one of whose exact KLs is Infinity. */
  readonly infiniteKlTokens?: number;
  /** The perception term by its estimator, nats, without coefficient. */
  readonly perceptionKl?: number;
  /** Its variance over the counted tokens (divided by their number); the paper's early sign of collapse. */
  readonly perceptionKlVariance?: number;
  readonly perceptionKlMax?: number;
  /** The reference term by its estimator, nats, without coefficient. */
  readonly refKl?: number;
  readonly advantageMean: number;
  /** Fraction of counted tokens with a positive advantage, 0 to 1. */
  readonly advantagePositive: number;
  /** Mean of old − new log-prob (k1) within ± logRatioLimit, nats. */
  readonly approxKl?: number;
  /** Mean of k3 of the same difference (never negative), nats. */
  readonly approxKl3?: number;
  /** Importance ratio after logRatioLimit. */
  readonly ratioMean?: number;
  readonly ratioMin?: number;
  readonly ratioMax?: number;
  /** (Σ ratio)² / (tokens · Σ ratio²): 1 on policy, towards 0 as few tokens carry the weight. */
  readonly effectiveSampleSize?: number;
  /** Fraction of counted tokens where the lower clip binds: negative advantage, ratio below 1 − clipLow. */
  readonly clipFractionLow?: number;
  /** Where the upper clip binds: positive advantage, ratio above 1 + clipHigh. */
  readonly clipFractionHigh?: number;
  /** Where the dual clip binds: negative advantage, ratio above clipDual. */
  readonly clipFractionDual?: number;
  /** Low and high together: what the authors log as `pg_clipfrac_higher` and the paper calls "Clipping Ratio-High". */
  readonly clipFraction?: number;
  /** Share of each term in Σ |d loss / d statistic| over tokens and statistics, coefficients included; 0 where all are 0. */
  readonly gradShareSurrogate: number;
  readonly gradShareRefKl?: number;
  readonly gradSharePerceptionKl?: number;
  readonly gradShareEntropy?: number;
  readonly gradShareMaskedEntropy?: number;
}

export interface MetricsInput {
  /** Row offsets of the sequences, [sequences + 1]. */
  readonly offsets: Int32Array;
  /** [rows] 0/1, skipped rows already 0; absent where every row counts. */
  readonly mask: Int32Array | undefined;
  /** [8, rows], lines STATISTICS. */
  readonly statistics: Float64Array;
  /** [12, rows], lines TERMS. */
  readonly terms: Float64Array;
  readonly measured: Measured;
  readonly advantages: Float64Array;
  readonly skippedRows: number;
}

/** Computes the record; one pass of [rows] per line, nothing of the size of the vocabulary. */
export function metricsOf(input: MetricsInput): Metrics {
  const { measured, mask } = input;
  const logProbs = summaryOf(statistic(input, "logProbs"), mask);
  const exact = (name: "entropy" | "maskedEntropy" | "kl" | "reverseKl", has: boolean) =>
    has ? { [name]: summaryOf(statistic(input, name), mask).mean } : {};
  return {
    ...counts(input),
    impossibleTokens: logProbs.infinite,
    logProbs: logProbs.mean,
    ...(measured.maskedLogProbs
      ? { maskedLogProbs: summaryOf(statistic(input, "maskedLogProbs"), mask).mean }
      : {}),
    ...exact("entropy", measured.entropy),
    ...exact("maskedEntropy", measured.maskedEntropy),
    ...exact("kl", measured.kl),
    ...exact("reverseKl", measured.reverseKl),
    ...infiniteKls(input),
    ...perceptionMetrics(input),
    ...(measured.refKlTerm ? { refKl: summaryOf(term(input, "refKl"), mask).mean } : {}),
    ...advantageMetrics(input),
    ...ratioMetrics(input),
    ...gradShares(input),
  };
}

type Part = Partial<{ -readonly [K in keyof Metrics]: number }>;

function counts(input: MetricsInput) {
  const { offsets, mask } = input;
  const sequences = offsets.length - 1;
  let tokens = 0;
  let shortest = sequences > 0 ? Number.POSITIVE_INFINITY : 0;
  let longest = 0;
  for (let sequence = 0; sequence < sequences; sequence++) {
    const end = offsets[sequence + 1] as number;
    let length = 0;
    for (let row = offsets[sequence] as number; row < end; row++)
      if (isCounted(mask, row)) length++;
    tokens += length;
    shortest = Math.min(shortest, length);
    longest = Math.max(longest, length);
  }
  return {
    tokens,
    sequences,
    skippedRows: input.skippedRows,
    responseLengthMean: sequences > 0 ? tokens / sequences : 0,
    responseLengthMin: shortest,
    responseLengthMax: longest,
  };
}

function infiniteKls(input: MetricsInput): Part {
  const { measured, mask } = input;
  if (!measured.kl && !measured.reverseKl) return {};
  const kl = statistic(input, "kl");
  const reverseKl = statistic(input, "reverseKl");
  let infiniteKlTokens = 0;
  for (let row = 0; row < kl.length; row++) {
    if (!isCounted(mask, row)) continue;
    if (kl[row] === Number.POSITIVE_INFINITY || reverseKl[row] === Number.POSITIVE_INFINITY) {
      infiniteKlTokens++;
    }
  }
  return { infiniteKlTokens };
}

function perceptionMetrics(input: MetricsInput): Part {
  if (!input.measured.perceptionKlTerm) return {};
  const { mask } = input;
  const values = term(input, "perceptionKl");
  const { mean, max } = summaryOf(values, mask);
  // A second pass about the mean: a difference of squares would lose the variance of a nearly constant term.
  const perceptionKlVariance = meanOf(values, mask, (value) => (value - mean) ** 2);
  return { perceptionKl: mean, perceptionKlVariance, perceptionKlMax: max };
}

function advantageMetrics({ advantages, mask }: MetricsInput) {
  return {
    advantageMean: summaryOf(advantages, mask).mean,
    advantagePositive: meanOf(advantages, mask, (value) => (value > 0 ? 1 : 0)),
  };
}

function ratioMetrics(input: MetricsInput): Part {
  const { measured, mask } = input;
  if (!measured.oldLogProbs) return {};
  const ratios = term(input, "ratio");
  // log undoes the op's exp to the last bit or two of the limited log-ratio.
  const logRatios = ratios.map(Math.log);
  const { mean, min, max } = summaryOf(ratios, mask);
  // In units of the largest, whose square always is a number.
  const share = max > 0 ? mean / max : 0;
  const squares = meanOf(ratios, mask, (ratio) => (ratio / max) ** 2);
  const clip = term(input, "clip");
  const clipped = (which: number) => meanOf(clip, mask, (value) => (value === which ? 1 : 0));
  const [low, high] = [clipped(1), clipped(2)];
  const k1 = meanOf(logRatios, mask, (x) => -x);
  return {
    // Without the negative zero of a policy that is its own old policy.
    approxKl: k1 === 0 ? 0 : k1,
    // E_old[ratio − 1 − log ratio] = KL(old ‖ new); expm1 keeps the digits of small differences.
    approxKl3: meanOf(logRatios, mask, (x) => Math.expm1(x) - x),
    ratioMean: mean,
    ratioMin: min,
    ratioMax: max,
    effectiveSampleSize: squares > 0 ? share ** 2 / squares : 0,
    clipFractionLow: low,
    clipFractionHigh: high,
    clipFractionDual: clipped(3),
    clipFraction: low + high,
  };
}

function gradShares(input: MetricsInput) {
  const { measured, mask } = input;
  const parts = {
    gradShareSurrogate: totalOf(term(input, "gradSurrogate"), mask),
    ...(measured.refKlTerm ? { gradShareRefKl: totalOf(term(input, "gradRefKl"), mask) } : {}),
    ...(measured.perceptionKlTerm
      ? { gradSharePerceptionKl: totalOf(term(input, "gradPerceptionKl"), mask) }
      : {}),
    ...(measured.entropyTerm
      ? { gradShareEntropy: totalOf(term(input, "gradEntropy"), mask) }
      : {}),
    ...(measured.maskedEntropyTerm
      ? { gradShareMaskedEntropy: totalOf(term(input, "gradMaskedEntropy"), mask) }
      : {}),
  };
  const whole = Object.values(parts).reduce((sum, part) => sum + part, 0);
  for (const key of Object.keys(parts) as (keyof typeof parts)[]) {
    parts[key] = whole > 0 ? (parts[key] as number) / whole : 0;
  }
  return parts;
}

function statistic(input: MetricsInput, name: StatisticName): Float64Array {
  return line(input.statistics, STATISTICS, name);
}

function term(input: MetricsInput, name: TermName): Float64Array {
  return line(input.terms, TERMS, name);
}
