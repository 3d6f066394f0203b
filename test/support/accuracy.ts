/** Rows of real vocabularies that are hard to get right, and the engine's errors on them against float64. */

import { OBJECTIVE_DEFAULTS } from "../../lib/functional/papo-loss-options.js";
import {
  fromBfloat16,
  fromFloat16,
  type Logits,
  type LogitsDType,
  type Tensor,
  tensor,
  toBfloat16,
  toFloat16,
} from "../../lib/index.js";
import { COTANGENTS, STATISTICS, type StatisticName } from "../../lib/ops/lines.js";
import { papoLoss } from "../../lib/ops/papo-loss.js";
import { tokenStatsGrad } from "../../lib/ops/token-stats-grad.js";
import * as reference from "../../lib/reference/index.js";
import { Random } from "./inputs.js";

/**
 * What the two policies of a row look like.
 *
 * - `plain`      logits around 0, a masked policy that differs mildly
 * - `far`        a masked policy of its own
 * - `peaked`     one token has all of the mass but 1e-7, and another one was sampled
 * - `sure`       the same, and it was sampled: what most tokens of a trained policy are
 * - `wide`       a range of ±90: a few tokens share the mass
 * - `huge`       logits around 10 000, where float32 has steps of 0.001
 * - `negative`   every logit far below 0
 * - `holes`      a fifth of the columns −Infinity, in both policies
 * - `ascending`  from −20 to 20 along the vocabulary: the worst case of a softmax whose reference follows the row
 * - `near`       two policies whose KL is about `kl`
 */
export const HARD_ROWS = [
  "plain",
  "far",
  "peaked",
  "sure",
  "wide",
  "huge",
  "negative",
  "holes",
  "ascending",
] as const;
export type HardRow = (typeof HARD_ROWS)[number] | "near";

/** KLs of the `near` rows: where the sums of one pass stop being enough, down to where float32 logits stop differing. */
export const NEAR_KLS = [
  1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12,
] as const;

export interface RowPair {
  readonly logits: Float32Array;
  readonly maskedLogits: Float32Array;
  readonly tokenId: number;
}

/** One row; the same arguments give the same row. Odd seeds sample the likeliest token where the name does not say. */
export function hardRow(name: HardRow, vocabSize: number, seed: number, kl = 0): RowPair {
  const random = new Random(seed * 1_000_003 + vocabSize);
  const logits = new Float32Array(vocabSize);
  const maskedLogits = new Float32Array(vocabSize);
  const peak = random.below(vocabSize);
  const sampled = name === "sure" ? peak : (peak + 1 + random.below(vocabSize - 1)) % vocabSize;
  const distance = Math.sqrt(2 * kl);
  let likeliest = 0;
  for (let v = 0; v < vocabSize; v++) {
    const [a, b] = [random.normal(), random.normal()];
    const isHole = name === "holes" && v !== sampled && random.uniform() < 0.2;
    const [own, masked] = isHole
      ? [-Infinity, -Infinity]
      : pair(name, a, b, v / vocabSize, v === peak, distance);
    logits[v] = own;
    maskedLogits[v] = masked;
    if (own > (logits[likeliest] as number)) likeliest = v;
  }
  const tokenId = seed % 2 === 1 && name !== "peaked" ? likeliest : sampled;
  return { logits, maskedLogits, tokenId };
}

function pair(
  name: HardRow,
  a: number,
  b: number,
  place: number,
  isPeak: boolean,
  distance: number,
): readonly [number, number] {
  switch (name) {
    case "plain":
    case "holes":
      return [2 * a, 2 * a + b];
    case "far":
      return [3 * a, 3 * b];
    case "peaked":
    case "sure":
      return [a + (isPeak ? 30 : 0), b + (isPeak ? 28 : 0)];
    case "wide":
      return [20 * a, 20 * a + 5 * b];
    case "huge":
      return [1e4 + 4 * a, 1e4 + 4 * a + b];
    case "negative":
      return [a - 80, a + b - 90];
    case "ascending":
      return [40 * place - 20 + 0.1 * a, 40 * place - 20 + 0.1 * a + 0.1 * b];
    case "near":
      return [2 * a, 2 * a + distance * b];
  }
}

/** Errors of one row against float64 from the same stored logits; both policies, both directions. */
export interface RowErrors {
  /** Largest |error|, nats. */
  readonly logProb: number;
  readonly entropy: number;
  readonly kl: number;
  /** Largest |error| / KL; 0 where both are 0. */
  readonly klRelative: number;
  /** The true KL, the smaller of both directions. */
  readonly trueKl: number;
  /** ‖error‖ / ‖gradient‖ of both logits together, in float32: of `papo_loss` with every term, all of them exact. */
  readonly lossGradient: number;
  /** The same of `token_stats_grad` with cotangents for every statistic. */
  readonly statisticsGradient: number;
}

/** What float32 logits at V = 151 936 are held to, on every instruction set; gradients and near KLs relative to themselves. */
export const BOUNDS: Readonly<Record<Exclude<keyof RowErrors, "trueKl">, number>> = {
  logProb: 5e-7,
  entropy: 1e-6,
  kl: 5e-7,
  klRelative: 1e-5,
  lossGradient: 1e-7,
  statisticsGradient: 1e-7,
};

const ATTRIBUTES = {
  ...OBJECTIVE_DEFAULTS,
  refKlCoef: 0.01,
  perceptionKlCoef: 0.02,
  perceptionKlEstimator: "exact",
  entropyCoef: 0.03,
  maskedEntropyCoef: 0.05,
  entropyEstimator: "exact",
  maskedBranch: "differentiable",
  exactKlLimit: 3,
} as const;
const ADVANTAGE = 1.3;
/** Log-probs of the sampling and of the frozen policy less the row's own: no clip binds. */
const OLD = -0.1;
const REF = 0.2;
const COTANGENT = {
  logProbs: -0.7,
  maskedLogProbs: 0.4,
  entropy: 0.2,
  maskedEntropy: -0.3,
  kl: 0.6,
  reverseKl: 0.5,
} as const;

export function errorsOf(row: RowPair, dtype: LogitsDType): RowErrors {
  const vocabSize = row.logits.length;
  const shape = [1, vocabSize] as const;
  const [logits, values] = stored(row.logits, dtype);
  const [maskedLogits, maskedValues] = stored(row.maskedLogits, dtype);
  const tokenIds = Int32Array.of(row.tokenId);
  const rows = { logits: values, maskedLogits: maskedValues, tokenIds, rows: 1, vocabSize };
  const truth = reference.tokenStats(rows);
  const [logProb] = truth.logProbs as unknown as [number];
  const perRow = {
    oldLogProbs: Float64Array.of(logProb + OLD),
    refLogProbs: Float64Array.of(logProb + REF),
    advantages: Float64Array.of(ADVANTAGE),
  };

  const where = "accuracy";
  const memory = () => tensor(new Float32Array(vocabSize), { shape });
  const gradients = { gradLogits: memory(), gradMaskedLogits: memory() };
  const call = {
    ...{ where, logits, maskedLogits, tokenIds, responseMask: undefined, temperature: 1 },
    ...{ gradScale: 1, ...gradients },
  };
  const { statistics } = papoLoss({
    ...{ ...call, ...perRow, attributes: ATTRIBUTES },
    ...{ weights: Float64Array.of(1), entropyWeights: Float64Array.of(1) },
  });
  const lossTruth = reference.papoLoss({
    ...{ ...rows, ...perRow, ...ATTRIBUTES },
    ...{ sequences: 1, tokens: 1, reduction: "sum", entropyReduction: "same" },
  });
  const lossGradient = gradientError(gradients, lossTruth);

  const cotangents = Float64Array.from(COTANGENTS, (name) => COTANGENT[name]);
  tokenStatsGrad({ ...call, statistics, cotangents, accumulate: false });
  const wanted = Object.entries(COTANGENT).map(([name, value]) => [name, [value]]);
  const statisticsTruth = reference.tokenStatsGrad({
    ...rows,
    cotangents: Object.fromEntries(wanted),
  });

  const errors = (...names: readonly StatisticName[]) =>
    names.map((name) => {
      const error = Math.abs(
        (statistics[STATISTICS.indexOf(name)] as number) - (truth[name][0] as number),
      );
      return { error, of: truth[name][0] as number };
    });
  const worst = (...names: readonly StatisticName[]) =>
    Math.max(...errors(...names).map(({ error }) => error));
  return {
    logProb: worst("logProbs", "maskedLogProbs"),
    entropy: worst("entropy", "maskedEntropy"),
    kl: worst("kl", "reverseKl"),
    klRelative: Math.max(
      ...errors("kl", "reverseKl").map(({ error, of }) => (error === 0 ? 0 : error / of)),
    ),
    trueKl: Math.min(truth.kl[0] as number, truth.reverseKl[0] as number),
    lossGradient,
    statisticsGradient: gradientError(gradients, statisticsTruth),
  };
}

/** A row as the dtype stores it, and the values that it kept. */
function stored(row: Float32Array, dtype: LogitsDType): [Logits, ArrayLike<number>] {
  const shape = [1, row.length] as const;
  if (dtype === "float32") return [tensor(row, { shape }), row];
  if (dtype === "bfloat16") {
    const bits = toBfloat16(row);
    return [tensor(bits, { shape, dtype }), fromBfloat16(bits)];
  }
  const bits = toFloat16(row);
  return [tensor(bits, { shape, dtype }), fromFloat16(bits)];
}

function gradientError(
  got: { readonly gradLogits: Tensor; readonly gradMaskedLogits: Tensor },
  want: { readonly gradLogits: Float64Array; readonly gradMaskedLogits?: Float64Array | undefined },
): number {
  let error = 0;
  let norm = 0;
  for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
    const wanted = want[name] as Float64Array;
    const { data } = got[name];
    for (let v = 0; v < wanted.length; v++) {
      error += ((data[v] as number) - (wanted[v] as number)) ** 2;
      norm += (wanted[v] as number) ** 2;
    }
  }
  return Math.sqrt(error / norm);
}
