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

/** Each term after its reduction, nats, without its coefficient; 0 where it had no input. */
export interface TermValues {
  readonly surrogate: number;
  readonly refKl: number;
  readonly perceptionKl: number;
  readonly entropy: number;
  readonly maskedEntropy: number;
}

/** One number per token, float64, in the batch's own [sequences, tokens] or [rows]. */
export type TokenTensor = Tensor<"float64", 1 | 2>;

/** Per-token values, nats; 0 where the token does not count, absent where there was no input. All are constants. */
export interface TokenValues {
  readonly logProbs: TokenTensor;
  readonly maskedLogProbs?: TokenTensor;
  /** Exact statistics. */
  readonly entropy?: TokenTensor;
  readonly maskedEntropy?: TokenTensor;
  readonly kl?: TokenTensor;
  readonly reverseKl?: TokenTensor;
  /** exp of the limited log-ratio. */
  readonly ratio: TokenTensor;
  /** 0 no clip, 1 low, 2 high, 3 dual. */
  readonly clip: TokenTensor;
  /** Values of the terms, without coefficient. */
  readonly surrogate: TokenTensor;
  readonly refKl?: TokenTensor;
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
  readonly gradEntropy?: TokenTensor;
  readonly gradMaskedEntropy?: TokenTensor;
  /** In both policies; a constant masked branch leaves the policy's part. */
  readonly gradKl?: TokenTensor;
  readonly gradReverseKl?: TokenTensor;
}

export interface Evaluation extends EvaluationGradients {
  /** What is minimised. With global denominators the losses of the parts add up to that of the whole (average, with worldSize). */
  readonly loss: number;
  /** loss = surrogate + β · refKl − γ · perceptionKl + η · entropy + η_m · maskedEntropy, the last four times `coefficients`. */
  readonly terms: TermValues;
  /** The coefficients in force at this step. */
  readonly coefficients: Coefficients;
  readonly metrics: Metrics;
  /** With `perToken`. */
  readonly tokens?: TokenValues;
  /** Rows that `onInvalid: "skip"` left out, in order; absent with "error". */
  readonly skippedRows?: readonly number[];
}

/** An evaluation on the level of rows, before sums. */
export interface RowResults {
  readonly data: RowData;
  /** `data.mask` without the rows that were skipped. */
  readonly mask: Int32Array | undefined;
  /** [8, rows] and [12, rows]. */
  readonly statistics: Float64Array;
  readonly terms: Float64Array;
  /** [rows] of the surrogate; absent where it is line `ratio` of the terms. */
  readonly ratios: Float64Array | undefined;
  readonly weights: Float64Array;
  readonly entropyWeights: Float64Array;
  readonly attributes: ObjectiveAttributes;
  readonly coefficients: Coefficients;
  readonly measured: Measured;
  readonly skippedRows: readonly number[] | undefined;
  readonly perToken: boolean;
}

/** Sums, metrics and per-token values. */
export function evaluationOf(results: RowResults, gradients: EvaluationGradients): Evaluation {
  const { data, terms, coefficients, skippedRows } = results;
  const sums = sumsOfTerms(terms, results);
  return {
    loss: lossOfSums(sums, results.attributes),
    ...gradients,
    terms: sums,
    coefficients,
    metrics: metricsOf({
      offsets: data.layout.offsets,
      mask: results.mask,
      statistics: results.statistics,
      terms,
      measured: results.measured,
      advantages: data.advantages,
      skippedRows: skippedRows?.length ?? 0,
    }),
    ...(results.perToken ? { tokens: tokenValues(results) } : {}),
    ...(skippedRows === undefined ? {} : { skippedRows }),
  };
}

function tokenValues({ data, statistics, terms, measured }: RowResults): TokenValues {
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
