/** Metrics of what only some objectives of the family have: other ratios, chosen tokens, another sampler. */
import { line, TERMS } from "../ops/lines.js";
import { rolloutDiagnosticsOf } from "../rollout/diagnostics.js";
import type { RolloutWeightMetrics } from "../rollout/weight-metrics.js";
import { CLIP } from "../surrogates/surrogate.js";
import type { RowData } from "./batch.js";
import type { KeptFractions } from "./selected-tokens.js";
import type { ObjectiveSpec } from "./spec.js";
import { meanOf, summaryOf } from "./token-summary.js";

/** Present where the spec and the batch have what they speak of. */
export interface FamilyMetrics extends KeptFractions {
  /**
   * The ratio that the surrogate works with, over counted tokens: of their sequence (GSPO), to the sampler (IcePop);
   * absent with "ppo-clip", whose ratio is that of the token.
   */
  readonly surrogateRatioMean?: number;
  /** Smallest importance ratio of the surrogate. */
  readonly surrogateRatioMin?: number;
  /** Largest importance ratio of the surrogate. */
  readonly surrogateRatioMax?: number;
  /** Fraction of counted tokens that a trust region or a draw took out of the surrogate. */
  readonly droppedFraction?: number;
  /** KL(sampler ‖ old policy) by k1, nats; with rolloutLogProbs and oldLogProbs, as all that follow. */
  readonly rolloutKl?: number;
  /** KL(sampler ‖ old policy) by k3, nats. */
  readonly rolloutKl3?: number;
  /** Mean over sequences of mean(sampler's − old log-prob), nats; positive where the sampler is surer. */
  readonly rolloutPerplexityGap?: number;
  /** Mean over sequences of exp(−mean of the sampler's log-prob). */
  readonly rolloutPerplexity?: number;
  /** Mean over sequences of exp(−mean old log-prob). */
  readonly oldPerplexity?: number;
  /** χ² of the old policy to the sampler, of tokens. */
  readonly rolloutChiSquareToken?: number;
  /** χ² of the old policy to the sampler, of sequences. */
  readonly rolloutChiSquareSequence?: number;
  /** Mean importance weight of rolloutCorrection, before they are normalised. */
  readonly rolloutWeightMean?: number;
  /** Smallest importance weight of rolloutCorrection, before they are normalised. */
  readonly rolloutWeightMin?: number;
  /** Largest importance weight of rolloutCorrection, before they are normalised. */
  readonly rolloutWeightMax?: number;
  /** Fraction of counted tokens that rolloutCorrection clipped. */
  readonly rolloutClippedFraction?: number;
  /** Fraction of counted tokens that rolloutCorrection kept. */
  readonly rolloutKeptFraction?: number;
  /** (Σ w)² / (tokens · Σ w²) of the weights: 1 where all are equal. */
  readonly rolloutEffectiveSampleSize?: number;
}

export interface FamilyInput {
  readonly spec: ObjectiveSpec;
  readonly data: RowData;
  readonly mask: Int32Array | undefined;
  /** [rows] of the surrogate, where the algebra ran. */
  readonly ratios: Float64Array | undefined;
  /** [12, rows], lines TERMS. */
  readonly terms: Float64Array;
  readonly selected: { readonly fractions: KeptFractions } | undefined;
  readonly weights: { readonly rollout: RolloutWeightMetrics | undefined };
}

/** Adds those that the evaluation has to its metrics. */
export function addFamilyMetrics(input: FamilyInput, metrics: FamilyMetrics): void {
  const { spec, ratios, selected, weights, data } = input;
  if (spec.surrogate.kind !== "ppo-clip" && ratios) {
    Object.assign(metrics, ofSurrogate(input, ratios));
  }
  if (selected) Object.assign(metrics, selected.fractions);
  if (data.oldLogProbs && data.rolloutLogProbs) {
    Object.assign(metrics, ofSampler(input, data.oldLogProbs, data.rolloutLogProbs));
  }
  if (weights.rollout) Object.assign(metrics, ofWeights(weights.rollout));
}

function ofSurrogate({ terms, mask }: FamilyInput, ratios: Float64Array): FamilyMetrics {
  const clips = line(terms, TERMS, "clip");
  const { mean, min, max } = summaryOf(ratios, mask);
  return {
    surrogateRatioMean: mean,
    surrogateRatioMin: min,
    surrogateRatioMax: max,
    droppedFraction: meanOf(clips, mask, (clip) => (clip === CLIP.dropped ? 1 : 0)),
  };
}

function ofSampler(
  { spec, data, mask }: FamilyInput,
  oldLogProbs: Float64Array,
  rolloutLogProbs: Float64Array,
): FamilyMetrics {
  const { offsets } = data.layout;
  const { logRatioLimit } = spec;
  const found = rolloutDiagnosticsOf(offsets, mask, oldLogProbs, rolloutLogProbs, logRatioLimit);
  return {
    rolloutKl: found.klK1,
    rolloutKl3: found.klK3,
    rolloutPerplexityGap: found.logPerplexityGap,
    rolloutPerplexity: found.rolloutPerplexity,
    oldPerplexity: found.perplexity,
    rolloutChiSquareToken: found.chiSquareToken,
    rolloutChiSquareSequence: found.chiSquareSequence,
  };
}

function ofWeights(found: RolloutWeightMetrics): FamilyMetrics {
  return {
    rolloutWeightMean: found.weightMean,
    rolloutWeightMin: found.weightMin,
    rolloutWeightMax: found.weightMax,
    rolloutClippedFraction: found.clippedFraction,
    rolloutKeptFraction: found.keptFraction,
    rolloutEffectiveSampleSize: found.effectiveSampleFraction,
  };
}
