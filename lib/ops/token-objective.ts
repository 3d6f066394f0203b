/** The op `token_objective`: the terms of each token, and the cotangents of its statistics. No vocabulary here. */
import { COTANGENTS, linesTensor, newLines, STATISTICS, TERMS, type TermName } from "./lines.js";
import { rowsTensor, runOp } from "./run-op.js";

/** KL estimators from the log-probabilities of the sampled token. */
export const SAMPLED_KL_ESTIMATORS = ["k1", "k2", "k3", "k3+", "abs", "unbiased", "jsd"] as const;
/** A KL estimator that sees only the sampled token; `KL_FORMULAS` has each with its bias. */
export type SampledKlEstimator = (typeof SAMPLED_KL_ESTIMATORS)[number];
/** And those over the whole vocabulary: KL(policy ‖ masked) and its reverse. */
export type KlEstimator = SampledKlEstimator | "exact" | "exact-reverse";

/** What a token's loss is made of; every attribute has its native meaning and none has a default here. */
export interface ObjectiveAttributes {
  /** ε below: the ratio is held at 1 − clipLow. Default 0.2. */
  readonly clipLow: number;
  /** ε above: the ratio is held at 1 + clipHigh. Default 0.2. */
  readonly clipHigh: number;
  /** 0 switches the dual clip off. */
  readonly clipDual: number;
  /** β, added. Default 0. */
  readonly refKlCoef: number;
  /** Estimator of the KL to the reference. Default "k3". */
  readonly refKlEstimator: SampledKlEstimator;
  /** γ, subtracted. Default 0. */
  readonly perceptionKlCoef: number;
  /** Estimator of the perception KL. Default "k3". */
  readonly perceptionKlEstimator: KlEstimator;
  /** η of the policy's entropy, added. Default 0. */
  readonly entropyCoef: number;
  /** η of the masked policy's entropy, added. Default 0. */
  readonly maskedEntropyCoef: number;
  /** Of the sampled token, or exact. Default "sampled". */
  readonly entropyEstimator: "sampled" | "exact";
  /** Whether gradient flows into the masked logits. Default "constant". */
  readonly maskedBranch: "constant" | "differentiable";
  /** Bound on every log-prob difference before exp, nats, gradient 0 where it binds. Default 20. */
  readonly logRatioLimit: number;
  /** Bound on the value of k3 (also in k3+ and unbiased) and jsd, nats; Infinity for none. */
  readonly klLimit: number;
  /** Infinity for none. */
  readonly exactKlLimit: number;
  /** Bounds of the perception term's value, whatever estimates it; -Infinity and Infinity for none. */
  readonly perceptionKlMin: number;
  readonly perceptionKlMax: number;
  /** With either finite both entropies H become max(0, entropyLow - H) + max(0, H - entropyHigh). */
  readonly entropyLow: number;
  readonly entropyHigh: number;
}

/** The data of an objective, all of them [rows]. */
export interface ObjectiveRows {
  readonly oldLogProbs?: Float64Array | undefined;
  readonly refLogProbs?: Float64Array | undefined;
  readonly advantages?: Float64Array | undefined;
  /** d loss / d value of a token of surrogate and KL terms, as `rowWeights` makes them. */
  readonly weights: Float64Array;
  /** The same for the perception term where it has its own, not negative. */
  readonly perceptionWeights?: Float64Array | undefined;
  /** The same for the two entropies. */
  readonly entropyWeights: Float64Array;
  readonly attributes: ObjectiveAttributes;
}

export interface TokenObjectiveArgs extends ObjectiveRows {
  readonly where: string;
  /** [8, rows] */
  readonly statistics: Float64Array;
  /** Whether the masked lines of `statistics` hold something. */
  readonly hasMasked: boolean;
  readonly responseMask?: Int32Array | undefined;
  /** Whether the cotangents are wanted; true if not said. */
  readonly gradients?: boolean;
}

export interface TokenObjectiveResult {
  /** [12, rows], lines TERMS. */
  readonly terms: Float64Array;
  /** [6, rows], lines COTANGENTS. */
  readonly cotangents: Float64Array | undefined;
}

/** As `TokenObjectiveArgs`; an attribute that is not said has the default of the native op. */
export type TokenObjectiveCall = Omit<TokenObjectiveArgs, "attributes"> & {
  readonly attributes: Partial<ObjectiveAttributes>;
};

/** Cheap next to anything over a vocabulary, so it has no asynchronous form. */
export function tokenObjective(args: TokenObjectiveCall): TokenObjectiveResult {
  const { where, statistics, hasMasked, attributes, gradients = true } = args;
  const rows = statistics.length / STATISTICS.length;
  const terms = newLines(TERMS, rows);
  const cotangents = gradients ? newLines(COTANGENTS, rows) : undefined;
  runOp({
    op: "tokenObjective",
    where,
    inputs: {
      statistics: linesTensor(statistics, STATISTICS),
      responseMask: rowsTensor(args.responseMask),
      oldLogProbs: rowsTensor(args.oldLogProbs),
      refLogProbs: rowsTensor(args.refLogProbs),
      advantages: rowsTensor(args.advantages),
      weights: rowsTensor(args.weights),
      entropyWeights: rowsTensor(args.entropyWeights),
      perceptionWeights: rowsTensor(args.perceptionWeights),
    },
    outputs: {
      terms: linesTensor(terms, TERMS),
      cotangents: linesTensor(cotangents, COTANGENTS),
    },
    attributes: { hasMasked, ...attributes },
  });
  return { terms, cotangents };
}

/** Each term of a batch after its reduction, without its coefficient. */
export interface TermSums {
  readonly surrogate: number;
  readonly refKl: number;
  readonly perceptionKl: number;
  readonly entropy: number;
  readonly maskedEntropy: number;
}

/** The terms of a batch, each Σ weights · term; a weight of 0 takes away even an infinite value. */
export function sumsOfTerms(
  terms: Float64Array,
  args: Pick<ObjectiveRows, "weights" | "entropyWeights" | "perceptionWeights"> & {
    readonly surrogateWeights?: Float64Array;
  },
): TermSums {
  const { weights, entropyWeights, perceptionWeights = weights, surrogateWeights = weights } = args;
  return {
    surrogate: weightedTerm(terms, "surrogate", surrogateWeights),
    refKl: weightedTerm(terms, "refKl", weights),
    perceptionKl: weightedTerm(terms, "perceptionKl", perceptionWeights),
    entropy: weightedTerm(terms, "entropy", entropyWeights),
    maskedEntropy: weightedTerm(terms, "maskedEntropy", entropyWeights),
  };
}

/**
 * The loss of a batch: the one place in lib where signs and coefficients of its terms are added up. A coefficient of 0
 * takes away even an infinite term.
 */
export function lossOfSums(sums: TermSums, attributes: ObjectiveAttributes): number {
  const { refKlCoef, perceptionKlCoef, entropyCoef, maskedEntropyCoef } = attributes;
  const times = (coefficient: number, sum: number) => (coefficient === 0 ? 0 : coefficient * sum);
  return (
    sums.surrogate +
    times(refKlCoef, sums.refKl) -
    times(perceptionKlCoef, sums.perceptionKl) +
    times(entropyCoef, sums.entropy) +
    times(maskedEntropyCoef, sums.maskedEntropy)
  );
}

/** The loss of a batch from its terms. */
export function lossOfTerms(terms: Float64Array, args: ObjectiveRows): number {
  return lossOfSums(sumsOfTerms(terms, args), args.attributes);
}

function weightedTerm(terms: Float64Array, name: TermName, weights: Float64Array): number {
  const first = TERMS.indexOf(name) * weights.length;
  let sum = 0;
  for (let row = 0; row < weights.length; row++) {
    const weight = weights[row] as number;
    if (weight !== 0) sum += weight * (terms[first + row] as number);
  }
  return sum;
}
