/** What a spec makes of the tokens before their terms: masks and factors that depend on statistics, all constant. */
import { checkFinite } from "../functional/sequences.js";
import { line, STATISTICS, TERMS } from "../ops/lines.js";
import { tokenObjective } from "../ops/token-objective.js";
import { offPolicyMaskOf } from "../rollout/off-policy-mask.js";
import { topTokens } from "../selection/top-tokens.js";
import { vppoFactorsOf } from "../selection/vppo.js";
import type { AlgebraArgs } from "./algebra.js";
import type { TokenMask } from "./spec-parts.js";
import { meanOf } from "./token-summary.js";
import { type KeptTokens, product, spread } from "./weights.js";

/** Fractions of the counted tokens that a mask keeps, 0 to 1; absent where there is none. */
export interface KeptFractions {
  /** Of policyTokenMask. */
  readonly policyTokenFraction?: number;
  /** Of perceptionTokenMask. */
  readonly perceptionTokenFraction?: number;
  /** Of offPolicyMask. */
  readonly offPolicyKeptFraction?: number;
}

/** The weights and advantages that hold after all masks, and how many tokens these kept. */
export interface SelectedTokens {
  readonly surrogateWeights: Float64Array;
  readonly perceptionWeights: Float64Array | undefined;
  readonly advantages: Float64Array;
  readonly fractions: KeptFractions;
}

/** Applies the masks and factors of the spec that is in `args`. */
export function selectedTokens(args: AlgebraArgs): SelectedTokens {
  const { where, spec, statistics, offsets, responseMask: mask, weights } = args;
  let { surrogateWeights, perceptionWeights, advantages } = args;
  const fractions: { -readonly [K in keyof KeptFractions]: number } = {};
  const { policyTokenMask, perceptionTokenMask, advantageShaping, offPolicyMask } = spec;
  let perception: Float64Array | undefined;
  const perceptionValues = () => {
    perception ??= unboundedPerception(args);
    return perception;
  };
  const masked = (of: Float64Array, keep: Int32Array, rule: TokenMask, tokens: KeptTokens) => {
    const kept = product(of, keep);
    return rule.denominator === "all" ? kept : rescaled(kept, weights, args.ofKept(keep, tokens));
  };

  if (policyTokenMask !== null) {
    const isEntropy = policyTokenMask.by === "entropy";
    const values = isEntropy ? line(statistics, STATISTICS, "entropy") : perceptionValues();
    const keep = topTokens(values, offsets, mask, policyTokenMask);
    surrogateWeights = masked(surrogateWeights, keep, policyTokenMask, "policyTokens");
    fractions.policyTokenFraction = fractionOf(keep, mask);
  }
  if (perceptionTokenMask !== null && args.hasMasked) {
    const keep = topTokens(perceptionValues(), offsets, mask, perceptionTokenMask);
    const before = perceptionWeights ?? weights;
    perceptionWeights = masked(before, keep, perceptionTokenMask, "perceptionTokens");
    fractions.perceptionTokenFraction = fractionOf(keep, mask);
  }
  if (offPolicyMask !== null) {
    const logProbs = line(statistics, STATISTICS, "logProbs");
    const sampler = args.rolloutLogProbs ?? args.oldLogProbs ?? logProbs;
    const { threshold } = offPolicyMask;
    const keep = offPolicyMaskOf(offsets, mask, logProbs, sampler, advantages, threshold);
    surrogateWeights = product(surrogateWeights, keep);
    fractions.offPolicyKeptFraction = fractionOf(keep, mask);
  }
  if (advantageShaping !== null) {
    const values = perceptionValues();
    checkFinite(where, "perceptionKl", values, mask);
    const factors = vppoFactorsOf(offsets, mask, values, advantageShaping);
    advantages = product(advantages, spread({ rows: values.length, offsets }, factors));
  }
  return { surrogateWeights, perceptionWeights, advantages, fractions };
}

/** The perception term of every token before perceptionKlMin and perceptionKlMax, as the authors rank tokens. */
function unboundedPerception(args: AlgebraArgs): Float64Array {
  const { terms } = tokenObjective({
    ...args,
    advantages: undefined,
    attributes: {
      ...args.attributes,
      perceptionKlMin: Number.NEGATIVE_INFINITY,
      perceptionKlMax: Number.POSITIVE_INFINITY,
    },
    gradients: false,
  });
  return line(terms, TERMS, "perceptionKl");
}

/** Weights with the reduction of kept tokens in the place of that of all. */
function rescaled(of: Float64Array, all: Float64Array, kept: Float64Array): Float64Array {
  return of.map((weight, row) =>
    weight === 0 ? 0 : (weight * (kept[row] as number)) / (all[row] as number),
  );
}

function fractionOf(keep: Int32Array, mask: Int32Array | undefined): number {
  return meanOf(Float64Array.from(keep), mask, (bit) => bit);
}
