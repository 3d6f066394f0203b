/** The result of an evaluation, and its making from the [rows] matrices. */
import type { LogitsDType } from "../core/dtype.js";
import type { Shape } from "../core/shape.js";
import { line, STATISTICS, type StatisticName, TERMS, type TermName } from "../ops/lines.js";
import { lossOfSums, type ObjectiveAttributes, sumsOfTerms } from "../ops/token-objective.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import type { RowData } from "./batch.js";
import type { Coefficients } from "./coefficients.js";
import type { Measured } from "./measured.js";
import { type Metrics, metricsOf } from "./metrics.js";
import type { SelectedTokens } from "./selected-tokens.js";
import type { ObjectiveSpec } from "./spec.js";
import type { ObjectiveWeights } from "./weights.js";

/** Each term after its reduction, nats, without its coefficient; 0 where it had no input. */
export interface TermValues {
  /** The policy-gradient loss. */
  readonly surrogate: number;
  /** KL to the reference, by its estimator. */
  readonly refKl: number;
  /** KL between the policy and the masked one, by its estimator; positive, the loss subtracts it. */
  readonly perceptionKl: number;
  /** Entropy of the policy, by its estimator. */
  readonly entropy: number;
  /** Entropy of the masked policy, by its estimator. */
  readonly maskedEntropy: number;
  /** Mean −log-prob of the tokens of correct sequences; only where sftCoef is not 0. */
  readonly sft?: number;
}

/** One number per token, float64, in the batch's own [sequences, tokens] or [rows]. */
export type TokenTensor = Tensor<"float64", 1 | 2>;

/** Per-token values, nats; 0 where the token does not count, absent where there was no input. All are constants. */
export interface TokenValues {
  /** Of the sampled tokens, under the policy. */
  readonly logProbs: TokenTensor;
  /** Of the sampled tokens, under the masked policy. */
  readonly maskedLogProbs?: TokenTensor;
  /** Exact statistics. */
  readonly entropy?: TokenTensor;
  /** Exact entropy of the masked policy. */
  readonly maskedEntropy?: TokenTensor;
  /** KL(policy ‖ masked policy) over the vocabulary. */
  readonly kl?: TokenTensor;
  /** KL(masked policy ‖ policy) over the vocabulary. */
  readonly reverseKl?: TokenTensor;
  /** exp of the limited log-ratio. */
  readonly ratio: TokenTensor;
  /** Of the surrogate, where it is another one: of the sequence, or to the sampler. */
  readonly surrogateRatio?: TokenTensor;
  /** 0 no clip, 1 low, 2 high, 3 dual, 4 dropped by a trust region or a draw. */
  readonly clip: TokenTensor;
  /** Values of the terms, without coefficient. */
  readonly surrogate: TokenTensor;
  /** KL to the reference, by its estimator, without coefficient. */
  readonly refKl?: TokenTensor;
  /** Perception KL by its estimator, without coefficient. */
  readonly perceptionKl?: TokenTensor;
}

/** d loss · gradScale / d input, where gradients were asked for and the input was there. */
export interface EvaluationGradients {
  /** Of a batch of logits, in their shape and on their device; fresh memory there is yours to `dispose()` of. */
  readonly gradLogits?: Tensor<LogitsDType, 2 | 3>;
  /** Absent where the masked branch is constant. */
  readonly gradMaskedLogits?: Tensor<LogitsDType, 2 | 3>;
  /** Of a batch of log-probs, one per token. */
  readonly gradLogProbs?: TokenTensor;
  /** Absent where the masked branch is constant, like that of the masked entropy. */
  readonly gradMaskedLogProbs?: TokenTensor;
  /** In the exact entropy of the policy. */
  readonly gradEntropy?: TokenTensor;
  /** In the exact entropy of the masked policy. */
  readonly gradMaskedEntropy?: TokenTensor;
  /** In both policies; a constant masked branch leaves the policy's part. */
  readonly gradKl?: TokenTensor;
  /** In KL(masked policy ‖ policy). */
  readonly gradReverseKl?: TokenTensor;
  /** In KL(policy ‖ reference). */
  readonly gradRefKl?: TokenTensor;
  /** In KL(reference ‖ policy). */
  readonly gradRefReverseKl?: TokenTensor;
}

export interface Evaluation extends EvaluationGradients {
  /** What is minimised. With global denominators the losses of the parts add up to that of the whole (average, with worldSize). */
  readonly loss: number;
  /**
   * loss = surrogate + β · refKl − γ · perceptionKl + η · entropy + η_m · maskedEntropy + c · sft, all but the first times
   * `coefficients`.
   */
  readonly terms: TermValues;
  /** The coefficients in force at this step. */
  readonly coefficients: Coefficients;
  /** Means and fractions to log; constant. */
  readonly metrics: Metrics;
  /** With `perToken`. */
  readonly tokens?: TokenValues;
  /** Rows that `onInvalid: "skip"` left out, in order; absent with "error". */
  readonly skippedRows?: readonly number[];
}

/** An evaluation on the level of rows, before sums. */
export interface RowResults {
  readonly spec: ObjectiveSpec;
  readonly data: RowData;
  /** `data.mask` without the rows that were skipped. */
  readonly mask: Int32Array | undefined;
  /** [8, rows] and [12, rows]. */
  readonly statistics: Float64Array;
  readonly terms: Float64Array;
  /** [rows] of the surrogate; absent where it is line `ratio` of the terms. */
  readonly ratios: Float64Array | undefined;
  readonly weights: ObjectiveWeights;
  /** What the algebra made of weights and tokens; absent where the fused op ran. */
  readonly selected: SelectedTokens | undefined;
  readonly attributes: ObjectiveAttributes;
  readonly coefficients: Coefficients;
  readonly measured: Measured;
  readonly skippedRows: readonly number[] | undefined;
  readonly perToken: boolean;
}

/** Sums, metrics and per-token values. */
export function evaluationOf(results: RowResults, gradients: EvaluationGradients): Evaluation {
  const { coefficients, skippedRows, measured, weights, attributes } = results;
  const { surrogateWeights, perceptionWeights } = results.selected ?? weights;
  const sums = sumsOfTerms(results.terms, {
    weights: weights.weights,
    entropyWeights: weights.entropyWeights,
    surrogateWeights,
    perceptionWeights,
  });
  const sft = sftOf(results);
  const loss = lossOfSums(sums, attributes) + (sft ? coefficients.sft * sft.value : 0);
  const terms: Mutable<TermValues> = {
    surrogate: sums.surrogate,
    refKl: sums.refKl,
    perceptionKl: sums.perceptionKl,
    entropy: measured.entropyTerm ? sums.entropy : 0,
    maskedEntropy: measured.maskedEntropyTerm ? sums.maskedEntropy : 0,
  };
  if (sft) terms.sft = sft.value;
  const metrics = metricsOf(results, sft && Math.abs(coefficients.sft) * sft.weight);
  // Assigned where it is there: putting results together from spreads took longer than a small evaluation.
  const evaluation: Mutable<Evaluation> = { loss, terms, coefficients, metrics };
  if (results.perToken) evaluation.tokens = tokenValues(results);
  if (skippedRows !== undefined) evaluation.skippedRows = skippedRows;
  return Object.assign(evaluation, gradients);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The SFT term and the weight of the tokens that have one; a token that the policy rules out has none. */
function sftOf({ statistics, weights: { sftWeights } }: RowResults) {
  if (sftWeights === undefined) return undefined;
  const logProbs = line(statistics, STATISTICS, "logProbs");
  let [value, total] = [0, 0];
  sftWeights.forEach((weight, row) => {
    const logProb = logProbs[row] as number;
    if (weight === 0 || logProb === Number.NEGATIVE_INFINITY) return;
    value -= weight * logProb;
    total += weight;
  });
  return { value, weight: total };
}

function tokenValues(results: RowResults): TokenValues {
  const { spec, data, statistics, terms, measured, ratios } = results;
  const statistic = (name: StatisticName) =>
    tokenTensor(line(statistics, STATISTICS, name), data.shape);
  const term = (name: TermName) => tokenTensor(line(terms, TERMS, name), data.shape);
  return {
    logProbs: statistic("logProbs"),
    ...(measured.maskedLogProbs ? { maskedLogProbs: statistic("maskedLogProbs") } : {}),
    ...(measured.entropy ? { entropy: statistic("entropy") } : {}),
    ...(measured.maskedEntropy ? { maskedEntropy: statistic("maskedEntropy") } : {}),
    ...(measured.kl ? { kl: statistic("kl") } : {}),
    ...(measured.reverseKl ? { reverseKl: statistic("reverseKl") } : {}),
    ratio: term("ratio"),
    ...(ratios && spec.surrogate.kind !== "ppo-clip"
      ? { surrogateRatio: tokenTensor(ratios, data.shape) }
      : {}),
    clip: term("clip"),
    surrogate: term("surrogate"),
    ...(measured.refKlTerm ? { refKl: term("refKl") } : {}),
    ...(measured.perceptionKlTerm ? { perceptionKl: term("perceptionKl") } : {}),
  };
}

/** A line as a tensor with memory of its own. */
export function tokenTensor(values: Float64Array, shape: Shape): TokenTensor {
  return tensor(values.slice(), { shape }) as TokenTensor;
}
