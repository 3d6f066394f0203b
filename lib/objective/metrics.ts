/** What is worth logging about one evaluation, as a flat record of numbers computed from the [rows] lines. */
import { line, STATISTICS, type StatisticName, TERMS, type TermName } from "../ops/lines.js";
import { addFamilyMetrics, type FamilyInput, type FamilyMetrics } from "./family-metrics.js";
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
export interface Metrics extends FamilyMetrics {
  /** Counted tokens. */
  readonly tokens: number;
  /** Sequences, those without a counted token included. */
  readonly sequences: number;
  /** Rows that were left out by `onInvalid: "skip"`. */
  readonly skippedRows: number;
  /** Counted tokens that the policy gives probability 0: log-prob −Infinity. */
  readonly impossibleTokens: number;
  /** Counted tokens of a sequence, on average. */
  readonly responseLengthMean: number;
  /** Counted tokens of the shortest sequence. */
  readonly responseLengthMin: number;
  /** Counted tokens of the longest sequence. */
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
  /** Largest perception term of a counted token, nats. */
  readonly perceptionKlMax?: number;
  /** The reference term by its estimator, nats, without coefficient. */
  readonly refKl?: number;
  /** Advantage of a counted token, on average. */
  readonly advantageMean: number;
  /** Fraction of counted tokens with a positive advantage, 0 to 1. */
  readonly advantagePositive: number;
  /** Mean of old − new log-prob (k1) within ± logRatioLimit, nats. */
  readonly approxKl?: number;
  /** Mean of k3 of the same difference (never negative), nats. */
  readonly approxKl3?: number;
  /** Importance ratio after logRatioLimit, on average. */
  readonly ratioMean?: number;
  /** Smallest importance ratio after logRatioLimit. */
  readonly ratioMin?: number;
  /** Largest importance ratio after logRatioLimit. */
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
  /** Share of the KL to the reference. */
  readonly gradShareRefKl?: number;
  /** Share of the perception KL. */
  readonly gradSharePerceptionKl?: number;
  /** Share of the policy's entropy. */
  readonly gradShareEntropy?: number;
  /** Share of the masked policy's entropy. */
  readonly gradShareMaskedEntropy?: number;
  /** Share of the supervised term. */
  readonly gradShareSft?: number;
}

export interface MetricsInput extends FamilyInput {
  /** [8, rows], lines STATISTICS. */
  readonly statistics: Float64Array;
  readonly measured: Measured;
  readonly skippedRows: readonly number[] | undefined;
}

/**
 * Computes the record; one pass of [rows] per line, nothing of the size of the vocabulary.
 *
 * @param gradSft  Σ |d loss / d log-prob| of the SFT term; undefined without one
 */
export function metricsOf(input: MetricsInput, gradSft: number | undefined): Metrics {
  const { measured, mask } = input;
  const mean = (name: StatisticName) => summaryOf(statistic(input, name), mask).mean;
  const logProbs = summaryOf(statistic(input, "logProbs"), mask);
  // Assigned one by one: putting it together from parts took longer than a small evaluation.
  const metrics: Draft = counts(input);
  metrics.impossibleTokens = logProbs.infinite;
  metrics.logProbs = logProbs.mean;
  if (measured.maskedLogProbs) metrics.maskedLogProbs = mean("maskedLogProbs");
  if (measured.entropy) metrics.entropy = mean("entropy");
  if (measured.maskedEntropy) metrics.maskedEntropy = mean("maskedEntropy");
  if (measured.kl) metrics.kl = mean("kl");
  if (measured.reverseKl) metrics.reverseKl = mean("reverseKl");
  if (measured.kl || measured.reverseKl) metrics.infiniteKlTokens = infiniteKls(input);
  if (measured.perceptionKlTerm) addPerception(input, metrics);
  if (measured.refKlTerm) metrics.refKl = summaryOf(term(input, "refKl"), mask).mean;
  const { advantages } = input.data;
  metrics.advantageMean = summaryOf(advantages, mask).mean;
  metrics.advantagePositive = meanOf(advantages, mask, isPositive);
  if (measured.oldLogProbs) addRatios(input, metrics);
  addGradShares(input, metrics, gradSft);
  addFamilyMetrics(input, metrics);
  return metrics as Metrics;
}

type Draft = { -readonly [K in keyof Metrics]?: number };

function counts(input: MetricsInput): Draft {
  const { mask } = input;
  const { offsets } = input.data.layout;
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
    skippedRows: input.skippedRows?.length ?? 0,
    responseLengthMean: sequences > 0 ? tokens / sequences : 0,
    responseLengthMin: shortest,
    responseLengthMax: longest,
  };
}

function infiniteKls(input: MetricsInput): number {
  const { mask } = input;
  const kl = statistic(input, "kl");
  const reverseKl = statistic(input, "reverseKl");
  let infinite = 0;
  for (let row = 0; row < kl.length; row++) {
    if (!isCounted(mask, row)) continue;
    if (kl[row] === Number.POSITIVE_INFINITY || reverseKl[row] === Number.POSITIVE_INFINITY) {
      infinite++;
    }
  }
  return infinite;
}

function addPerception(input: MetricsInput, metrics: Draft): void {
  const { mask } = input;
  const values = term(input, "perceptionKl");
  const { mean, max } = summaryOf(values, mask);
  metrics.perceptionKl = mean;
  // A second pass about the mean: a difference of squares would lose the variance of a nearly constant term.
  metrics.perceptionKlVariance = meanOf(values, mask, (value) => (value - mean) ** 2);
  metrics.perceptionKlMax = max;
}

function addRatios(input: MetricsInput, metrics: Draft): void {
  const { mask } = input;
  const ratios = term(input, "ratio");
  const { mean, min, max } = summaryOf(ratios, mask);
  // In units of the largest, whose square always is a number.
  const share = max > 0 ? mean / max : 0;
  const squares = meanOf(ratios, mask, (ratio) => (ratio / max) ** 2);
  const clip = term(input, "clip");
  const clipped = (which: number) => meanOf(clip, mask, (value) => (value === which ? 1 : 0));
  const low = clipped(1);
  const high = clipped(2);
  // log undoes the op's exp to the last bit or two of the limited log-ratio.
  const k1 = meanOf(ratios, mask, (ratio) => -Math.log(ratio));
  // Without the negative zero of a policy that is its own old policy.
  metrics.approxKl = k1 === 0 ? 0 : k1;
  metrics.approxKl3 = meanOf(ratios, mask, k3OfRatio);
  metrics.ratioMean = mean;
  metrics.ratioMin = min;
  metrics.ratioMax = max;
  metrics.effectiveSampleSize = squares > 0 ? share ** 2 / squares : 0;
  metrics.clipFractionLow = low;
  metrics.clipFractionHigh = high;
  metrics.clipFractionDual = clipped(3);
  metrics.clipFraction = low + high;
}

/** E_old[ratio − 1 − log ratio] = KL(old ‖ new); expm1 keeps the digits of small differences. */
function k3OfRatio(ratio: number): number {
  const logRatio = Math.log(ratio);
  return Math.expm1(logRatio) - logRatio;
}

function isPositive(value: number): number {
  return value > 0 ? 1 : 0;
}

function addGradShares(input: MetricsInput, metrics: Draft, gradSft: number | undefined): void {
  const { measured, mask } = input;
  const total = (name: TermName, has: boolean) => (has ? totalOf(term(input, name), mask) : 0);
  const surrogate = total("gradSurrogate", true);
  const refKl = total("gradRefKl", measured.refKlTerm);
  const perceptionKl = total("gradPerceptionKl", measured.perceptionKlTerm);
  const entropy = total("gradEntropy", measured.entropyTerm);
  const maskedEntropy = total("gradMaskedEntropy", measured.maskedEntropyTerm);
  const whole = surrogate + refKl + perceptionKl + entropy + maskedEntropy + (gradSft ?? 0);
  const share = (part: number) => (whole > 0 ? part / whole : 0);
  metrics.gradShareSurrogate = share(surrogate);
  if (measured.refKlTerm) metrics.gradShareRefKl = share(refKl);
  if (measured.perceptionKlTerm) metrics.gradSharePerceptionKl = share(perceptionKl);
  if (measured.entropyTerm) metrics.gradShareEntropy = share(entropy);
  if (measured.maskedEntropyTerm) metrics.gradShareMaskedEntropy = share(maskedEntropy);
  if (gradSft !== undefined) metrics.gradShareSft = share(gradSft);
}

function statistic(input: MetricsInput, name: StatisticName): Float64Array {
  return line(input.statistics, STATISTICS, name);
}

function term(input: MetricsInput, name: TermName): Float64Array {
  return line(input.terms, TERMS, name);
}
