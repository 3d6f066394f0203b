/** The engine's errors against float64 on one row, and the bounds that tests hold them to. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
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
import { lossOfTerms } from "../../lib/ops/token-objective.js";
import { tokenStatsFinish } from "../../lib/ops/token-stats-finish.js";
import { tokenStatsGrad } from "../../lib/ops/token-stats-grad.js";
import {
  type TokenStatsPartialArgs,
  tokenStatsPartial,
} from "../../lib/ops/token-stats-partial.js";
import * as reference from "../../lib/reference/index.js";
import { columnsOf, mergeAll } from "../ops/vocab-shards.js";
import type { HardRow, RowPair } from "./hard-rows.js";

/** Errors of one row against float64 from the same stored logits; both policies, both directions. */
export interface RowErrors {
  /** Largest |error|, nats. */
  readonly logProb: number;
  readonly entropy: number;
  readonly kl: number;
  /** Largest |error| / KL; 0 where both are 0. */
  readonly klRelative: number;
  /** Largest |error| of all of these by way of the states of three parts of the vocabulary, nats. */
  readonly merged: number;
  /** |error| of the loss of `papo_loss` with every term, all of them exact, nats. */
  readonly loss: number;
  /** The true KL, the smaller of both directions. */
  readonly trueKl: number;
  /** ‖error‖ / ‖gradient‖ of both logits together, in float32: of the same loss. */
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
  merged: 1e-6,
  loss: 1e-6,
  lossGradient: 1e-7,
  statisticsGradient: 1e-7,
};

/**
 * The same for rows of few different logits: the error of an exponential, 2e-7 at most, is then that of every token which
 * has the same logit, and does not average out.
 */
export const TIED_BOUNDS: typeof BOUNDS = {
  ...BOUNDS,
  lossGradient: 2e-7,
  statisticsGradient: 2e-7,
};

export type Quantity = Exclude<keyof RowErrors, "trueKl">;

/** What a row's quantities are held to; those of a KL's own size only where two policies are near. */
export type RowBounds = Readonly<Partial<Record<Quantity, number>>>;

/** What a quantity is held to, by instruction set and dtype, and by row. */
export type ErrorBounds = Readonly<Record<string, Readonly<Partial<Record<HardRow, RowBounds>>>>>;

export const BOUNDS_FILE: string = fileURLToPath(new URL("error-bounds.json", import.meta.url));

/** The committed bounds: what was measured over all vocabularies times the margin of `npm run bench:errors`. */
export function committedBounds(): ErrorBounds {
  return JSON.parse(readFileSync(BOUNDS_FILE, "utf8")) as ErrorBounds;
}

export function groupOf(isa: string, dtype: string): string {
  return `${isa} ${dtype}`;
}

/** Whether a quantity is asked of a row: what is relative to a KL only of nearly equal policies that float32 can tell apart. */
export function isAsked(quantity: Quantity, row: HardRow, { trueKl }: RowErrors): boolean {
  return quantity !== "klRelative" || (row === "near" && trueKl > 0.9e-10);
}

/** An error that is beyond its bound. */
export interface Excess {
  readonly quantity: Quantity;
  /** The error over the bound; NaN where the error is none. */
  readonly times: number;
  readonly text: string;
}

/** What of a row is beyond its bounds. */
export function excesses(bounds: RowBounds, row: HardRow, errors: RowErrors): Excess[] {
  return (Object.entries(bounds) as [Quantity, number][])
    .filter(([quantity, bound]) => isAsked(quantity, row, errors) && !(errors[quantity] <= bound))
    .map(([quantity, bound]) => {
      const error = errors[quantity].toExponential(2);
      const text = `${quantity} of ${row}: ${error}, bound ${bound.toExponential(2)}`;
      return { quantity, times: errors[quantity] / bound, text };
    });
}

/** The same in words. */
export function beyond(bounds: RowBounds, row: HardRow, errors: RowErrors): string[] {
  return excesses(bounds, row, errors).map(({ text }) => text);
}

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
  const weights = Float64Array.of(1);
  const weighted = { attributes: ATTRIBUTES, weights, entropyWeights: weights };
  const { statistics, terms } = papoLoss({ ...call, ...perRow, ...weighted });
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

  const error = (of: Float64Array, name: StatisticName) =>
    Math.abs((of[STATISTICS.indexOf(name)] as number) - (truth[name][0] as number));
  const worst = (...names: readonly StatisticName[]) =>
    Math.max(...names.map((name) => error(statistics, name)));
  const merged = byParts({ ...call, logits, maskedLogits });
  return {
    logProb: worst("logProbs", "maskedLogProbs"),
    entropy: worst("entropy", "maskedEntropy"),
    kl: worst("kl", "reverseKl"),
    klRelative: Math.max(
      ...(["kl", "reverseKl"] as const).map((name) =>
        worst(name) === 0 ? 0 : worst(name) / (truth[name][0] as number),
      ),
    ),
    merged: Math.max(...STATED.map((name) => error(merged, name))),
    loss: Math.abs(lossOfTerms(terms, weighted) - lossTruth.loss),
    trueKl: Math.min(truth.kl[0] as number, truth.reverseKl[0] as number),
    lossGradient,
    statisticsGradient: gradientError(gradients, statisticsTruth),
  };
}

const STATED = [
  "logProbs",
  "maskedLogProbs",
  "entropy",
  "maskedEntropy",
  "kl",
  "reverseKl",
] as const satisfies readonly StatisticName[];

type RowLogits = Tensor<LogitsDType, 2>;

/** Statistics from the states of three parts of the vocabulary, as ranks hold them. */
function byParts(of: TokenStatsPartialArgs): Float64Array {
  const vocabTotal = of.logits.columns;
  const [a, b] = [Math.floor(vocabTotal / 3), vocabTotal - 5];
  const states = [[0, a] as const, [a, b] as const, [b, vocabTotal] as const].map(([begin, end]) =>
    tokenStatsPartial({
      ...of,
      logits: columnsOf(of.logits as RowLogits, begin, end),
      maskedLogits: columnsOf(of.maskedLogits as RowLogits, begin, end),
      vocabOffset: begin,
      vocabTotal,
    }),
  );
  const finish = { where: of.where, states: mergeAll(states), hasMasked: true };
  return tokenStatsFinish({ ...finish, temperature: 1, onInvalid: "error" }).statistics;
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

/** A gradient below this is none: that of a row whose one token has all of the mass, where 1e-26 is left of the sums. */
const NO_GRADIENT = 1e-18;

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
  return Math.sqrt(error) / Math.max(Math.sqrt(norm), NO_GRADIENT);
}
