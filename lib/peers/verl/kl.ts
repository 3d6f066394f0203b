/** verl's names of KL estimators, older and newer ones. */
import { oneOf, type Reader } from "../../objective/spec-values.js";
import type { Contribution, Difference } from "../peer.js";

const KL_TYPES = ["kl", "k1", "abs", "mse", "k2", "low_var_kl", "k3", "full"] as const;
const STRAIGHT = ["kl+", "k1+", "abs+", "mse+", "k2+", "low_var_kl+", "k3+"] as const;
export type KlWord = (typeof KL_TYPES)[number] | (typeof STRAIGHT)[number];
const KL_WORDS: readonly KlWord[] = [...KL_TYPES, ...STRAIGHT];

export const readKlWord: Reader<KlWord> = oneOf(KL_WORDS);

/** What an estimator of that name is here, where it is one of a term of the loss. */
export function klOf(word: KlWord): Contribution {
  const { estimator, why, differences } = KL_ESTIMATORS[word];
  return { spec: estimator && { refKlEstimator: estimator }, notExpressible: why, differences };
}

/** The estimator alone, where nothing but a measurement depends on it. */
export function measuredKlOf(word: KlWord): Contribution {
  return { spec: klOf(word).spec };
}

interface KlEntry {
  readonly estimator?: "k1" | "abs" | "k2" | "k3" | "k3+";
  readonly why?: string;
  readonly differences?: readonly Difference[];
}

const UNLIMITED: readonly Difference[] = [
  {
    what: "verl limits log-ratios of the reference KL in low_var_kl only; here logRatioLimit holds in every estimator.",
    why: "20 nats of a single token are no estimate of a KL; the two agree below",
  },
];
const NEVER_WORKED: readonly Difference[] = [
  {
    what: "verl raises NotImplementedError for names with + before its pull request 6058; here they work.",
    why: "the documented straight-through form never ran since pull request 2953",
  },
];

const K1: KlEntry = { estimator: "k1", differences: UNLIMITED };
const ABS: KlEntry = { estimator: "abs", differences: UNLIMITED };
const K2: KlEntry = { estimator: "k2", differences: UNLIMITED };
const K3: KlEntry = { estimator: "k3" };
const K3_PLUS: KlEntry = { estimator: "k3+", differences: NEVER_WORKED };
const MIXED = "its value with the gradient of k2 exists here for k3 only (k3+)";

/** With + the value is that of the name and the gradient k2's. */
const KL_ESTIMATORS: Readonly<Record<KlWord, KlEntry>> = {
  kl: K1,
  k1: K1,
  abs: ABS,
  mse: K2,
  k2: K2,
  low_var_kl: K3,
  k3: K3,
  "low_var_kl+": K3_PLUS,
  "k3+": K3_PLUS,
  "mse+": K2,
  "k2+": K2,
  "kl+": { ...K1, why: MIXED },
  "k1+": { ...K1, why: MIXED },
  "abs+": { ...ABS, why: MIXED },
  full: { why: 'verl raises NotImplementedError; refKlEstimator "exact" is what it promises' },
};
