/** What the monitor reads of a step: a few numbers of the metrics of its micro-batches, merged by their tokens. */
import { checkObject } from "../core/arguments.js";
import { listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { numberWithin } from "../core/option-values.js";

/**
 * The part of `Evaluation.metrics` that is read; every other key is ignored, and every key may be missing.
 * Means over the counted tokens of one evaluation.
 */
export interface MonitorMetrics {
  /** Counted tokens: the weight of this record among those of a step. Needed where there are several. */
  readonly tokens?: number | undefined;
  /** The perception term by its estimator, nats. */
  readonly perceptionKl?: number | undefined;
  /** Variance of the perception term over the tokens, nats². */
  readonly perceptionKlVariance?: number | undefined;
  /** Exact KL(policy ‖ masked policy), nats: read where the first step has no `perceptionKl`. */
  readonly kl?: number | undefined;
  /** Fraction of tokens that either side of the clip binds, 0 to 1. */
  readonly clipFraction?: number | undefined;
  /** Exact entropies, nats. */
  readonly entropy?: number | undefined;
  /** Exact entropy of the masked policy, nats. */
  readonly maskedEntropy?: number | undefined;
  /** Log-probs of the sampled tokens, nats: their negatives are read where the first step has no exact entropy. */
  readonly logProbs?: number | undefined;
  /** Log-probs of the sampled tokens under the masked policy, nats. */
  readonly maskedLogProbs?: number | undefined;
}

const KEYS = [
  "perceptionKl",
  "perceptionKlVariance",
  "kl",
  "clipFraction",
  "entropy",
  "maskedEntropy",
  "logProbs",
  "maskedLogProbs",
] as const;
type MetricKey = (typeof KEYS)[number];

/** One step's numbers; a key that no part measured is absent. */
export type MergedMetrics = Partial<Record<MetricKey | "tokens", number>>;

/** The quantities that are watched, and the metrics that can stand for each, the best first; a minus turns the sign. */
export const QUANTITIES = {
  perceptionKl: ["perceptionKl", "kl"],
  perceptionKlVariance: ["perceptionKlVariance"],
  clipFraction: ["clipFraction"],
  entropy: ["entropy", "-logProbs"],
  maskedEntropy: ["maskedEntropy", "-maskedLogProbs"],
} as const;
/** What is measured at every step. */
export type Quantity = keyof typeof QUANTITIES;
export const QUANTITY_NAMES = Object.keys(QUANTITIES) as readonly Quantity[];

const MOST_PARTS = 65536;

/**
 * The metrics of a step from those of its micro-batches.
 *
 * Means are weighted by `tokens`, over the parts that measured them; the variance is that of all tokens together,
 * Σ wᵢ·(vᵢ + (mᵢ − m)²). A part without a counted token measured nothing, whatever its numbers say.
 *
 * @throws PapoError ERR_ARGUMENT for what is no record of numbers, and for several parts without `tokens`
 */
export function mergeMetrics(where: string, value: unknown): MergedMetrics {
  const length = listLength(value);
  if (length === undefined) {
    const { tokens, numbers } = partOf(where, "metrics", value);
    if (tokens === 0) return {};
    return tokens === undefined ? numbers : { ...numbers, tokens };
  }
  // The length of a proxy is whatever it says.
  if (!(length <= MOST_PARTS)) {
    const what = `metrics of up to ${MOST_PARTS} micro-batches`;
    throw expected("ERR_ARGUMENT", where, what, describe(value));
  }
  const parts: WeightedPart[] = [];
  for (let at = 0; at < length; at++) {
    const name = `metrics[${at}]`;
    const part = partOf(where, name, (value as readonly unknown[])[at]);
    if (part.tokens === undefined && length > 1) {
      throw expected("ERR_ARGUMENT", where, `${name}.tokens, the weight of this part`, "none");
    }
    const weight = part.tokens ?? 1;
    if (weight > 0) parts.push({ ...part, weight });
  }
  const [first] = parts;
  if (first === undefined) return {};
  // A lone part as it is: weighting would round it.
  const numbers = parts.length === 1 ? first.numbers : pooled(parts);
  const tokens = parts.reduce((sum, { weight }) => sum + weight, 0);
  return first.tokens === undefined ? numbers : { ...numbers, tokens };
}

interface Part {
  readonly tokens: number | undefined;
  readonly numbers: MergedMetrics;
}

type WeightedPart = Part & { readonly weight: number };

function partOf(where: string, name: string, value: unknown): Part {
  checkObject(where, name, value);
  const record = value as Record<string, unknown>;
  const numbers: MergedMetrics = {};
  for (const key of KEYS) {
    const number = record[key];
    if (number === undefined) continue;
    if (typeof number !== "number") {
      throw expected("ERR_ARGUMENT", where, `${name}.${key} to be a number`, describe(number));
    }
    numbers[key] = number;
  }
  const { tokens } = record;
  if (tokens === undefined) return { tokens: undefined, numbers };
  return { tokens: numberWithin(where, `${name}.tokens`, tokens, 0), numbers };
}

function pooled(parts: readonly WeightedPart[]): MergedMetrics {
  const merged: MergedMetrics = {};
  const mean = (of: (numbers: MergedMetrics) => number | undefined): number | undefined => {
    let [sum, weights] = [0, 0];
    for (const { weight, numbers } of parts) {
      const number = of(numbers);
      if (number === undefined) continue;
      sum += weight * number;
      weights += weight;
    }
    return weights > 0 ? sum / weights : undefined;
  };
  for (const key of KEYS) {
    const value = mean((numbers) => numbers[key]);
    if (value !== undefined) merged[key] = value;
  }
  const center = merged.perceptionKl;
  if (center === undefined) return merged;
  const variance = mean(({ perceptionKl, perceptionKlVariance }) =>
    perceptionKl === undefined || perceptionKlVariance === undefined
      ? undefined
      : perceptionKlVariance + (perceptionKl - center) ** 2,
  );
  if (variance !== undefined) merged.perceptionKlVariance = variance;
  return merged;
}
