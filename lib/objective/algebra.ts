/**
 * The algebra of an objective on [rows]: from the statistics of tokens to terms and cotangents. All forms that are not
 * the fused op come through here: logits at once, in blocks or asynchronously, on any device, and log-probs.
 */
import { checkFinite } from "../functional/sequences.js";
import { COTANGENTS, line, STATISTICS, TERMS, type TermName } from "../ops/lines.js";
import {
  type TokenObjectiveArgs,
  type TokenObjectiveResult,
  tokenObjective,
} from "../ops/token-objective.js";
import type { SurrogateTokens } from "../surrogates/surrogate.js";
import { boundedMeans } from "./entropy-bounds.js";
import { type SelectedTokens, selectedTokens } from "./selected-tokens.js";
import { sequenceKlOf } from "./sequence-kl.js";
import type { ObjectiveSpec } from "./spec.js";
import { surrogateOf } from "./surrogate-spec.js";
import type { ObjectiveWeights, TermWeights } from "./weights.js";

/** Rows between their statistics and their gradients: all of a batch, or a block where no part of the spec couples rows. */
export interface AlgebraArgs
  extends Omit<TokenObjectiveArgs, "advantages" | keyof TermWeights>,
    TermWeights,
    Pick<ObjectiveWeights, "ofKept"> {
  readonly spec: ObjectiveSpec;
  /** Of the SFT term, which the ops do not know. */
  readonly sftCoef: number;
  /** [sequences + 1], of these rows. */
  readonly offsets: Int32Array;
  readonly rolloutLogProbs: Float64Array | undefined;
  readonly advantages: Float64Array;
  /** [rows] exact KL to the reference in the direction of the spec, where its estimator is one. */
  readonly refKl?: Float64Array | undefined;
  readonly random: () => number;
}

export interface AlgebraResult extends TokenObjectiveResult {
  /** [rows] the importance ratio that the surrogate works with; line `ratio` of the terms is that of the token. */
  readonly ratios: Float64Array;
  /** [rows] d loss / d exact KL to the reference. */
  readonly refSlopes: Float64Array | undefined;
  readonly selected: SelectedTokens;
}

/** Terms and cotangents; throws ERR_NOT_FINITE for an unusable number in a counted row. */
export function objectiveOfStatistics(args: AlgebraArgs): AlgebraResult {
  const { where, statistics, responseMask: mask } = args;
  checkFinite(where, "advantages", args.advantages, mask);
  const selected = selectedTokens(args);
  const bounded = boundedMeans(args);
  const sequenceKl = sequenceKlOf(args);
  const { terms, cotangents } = tokenObjective({
    ...args,
    attributes: bounded ? { ...args.attributes, ...bounded.coefficients } : args.attributes,
    advantages: undefined,
    refLogProbs: sequenceKl ? undefined : args.refLogProbs,
    perceptionWeights: selected.perceptionWeights,
  });
  bounded?.setTerms(terms);
  const ofLogProbs = (term: TermName, slopes: Float64Array) => {
    line(terms, TERMS, term).set(slopes.map(Math.abs));
    if (cotangents) addTo(line(cotangents, COTANGENTS, "logProbs"), slopes);
  };

  const surrogate = surrogateOfRows(args, selected);
  line(terms, TERMS, "surrogate").set(surrogate.values);
  line(terms, TERMS, "clip").set(surrogate.clips);
  ofLogProbs("gradSurrogate", surrogate.slopes);
  if (sequenceKl) {
    line(terms, TERMS, "refKl").set(sequenceKl.values);
    ofLogProbs("gradRefKl", sequenceKl.slopes);
  }
  const sft = sftSlopes(args, line(statistics, STATISTICS, "logProbs"));
  if (sft && cotangents) addTo(line(cotangents, COTANGENTS, "logProbs"), sft);
  const refSlopes = setRefKl(args, terms);
  return { terms, cotangents, ratios: surrogate.ratios, refSlopes, selected };
}

/** The surrogate of the table with its weights and advantages. */
function surrogateOfRows(args: AlgebraArgs, selected: SelectedTokens) {
  const { where, spec, offsets, responseMask: mask, rolloutLogProbs, random } = args;
  const logProbs = line(args.statistics, STATISTICS, "logProbs");
  const { clipLow: low, clipHigh: high, clipDual: dual, logRatioLimit } = spec;
  const { advantages, surrogateWeights: weights } = selected;
  const oldLogProbs = args.oldLogProbs ?? logProbs;
  const tokens: SurrogateTokens = {
    where,
    offsets,
    mask,
    logProbs,
    oldLogProbs,
    rolloutLogProbs,
    advantages,
    weights,
    clip: { low, high, dual },
    logRatioLimit,
    random,
  };
  return surrogateOf(spec.surrogate).evaluate(tokens, spec.surrogate);
}

/** Slopes of sftCoef · (−log-prob); a token that the policy rules out has none. */
function sftSlopes(
  { sftWeights, sftCoef }: AlgebraArgs,
  logProbs: Float64Array,
): Float64Array | undefined {
  if (sftWeights === undefined) return undefined;
  return sftWeights.map((weight, row) =>
    weight === 0 || logProbs[row] === Number.NEGATIVE_INFINITY ? 0 : -sftCoef * weight,
  );
}

/** Puts an exact reference KL into the terms; its slopes belong to a statistic that the ops do not know. */
function setRefKl(
  { where, attributes, refKl, responseMask: mask, weights }: AlgebraArgs,
  terms: Float64Array,
): Float64Array | undefined {
  if (refKl === undefined) return undefined;
  const { refKlCoef } = attributes;
  // An infinite KL is a fact, but no loss.
  if (refKlCoef !== 0) checkFinite(where, "refKl", refKl, mask);
  const counted = (of: Float64Array) => of.map((value, row) => (mask?.[row] === 0 ? 0 : value));
  const slopes = counted(weights).map((weight) => (weight === 0 ? 0 : weight * refKlCoef));
  line(terms, TERMS, "refKl").set(counted(refKl));
  line(terms, TERMS, "gradRefKl").set(slopes.map(Math.abs));
  return slopes;
}

/** Adds `slopes` to the cotangents of a statistic. */
function addTo(cotangents: Float64Array, slopes: Float64Array): void {
  for (let row = 0; row < slopes.length; row++) {
    cotangents[row] = (cotangents[row] as number) + (slopes[row] as number);
  }
}
