/** verl's names of KL estimators, older and newer ones. */
import { oneOf, type Reader } from "../../objective/spec-values.js";
import type { Contribution } from "../peer.js";

const KL_TYPES = ["kl", "k1", "abs", "mse", "k2", "low_var_kl", "k3", "full"] as const;
const STRAIGHT = ["kl+", "k1+", "abs+", "mse+", "k2+", "low_var_kl+", "k3+"] as const;
export type KlWord = (typeof KL_TYPES)[number] | (typeof STRAIGHT)[number];
const KL_WORDS: readonly KlWord[] = [...KL_TYPES, ...STRAIGHT];

export const readKlWord: Reader<KlWord> = oneOf(KL_WORDS);

/** What an estimator of that name is here. */
export function klOf(word: KlWord): Contribution {
  const { estimator, why } = KL_ESTIMATORS[word];
  return { spec: estimator && { refKlEstimator: estimator }, notExpressible: why };
}

type SampledEstimator = "k1" | "abs" | "k2" | "k3" | "k3+";

const MIXED = "its value with the gradient of k2 exists here for k3 only (k3+)";

const KL_ESTIMATORS: Readonly<
  Record<KlWord, { readonly estimator?: SampledEstimator; readonly why?: string }>
> = {
  kl: { estimator: "k1" },
  k1: { estimator: "k1" },
  abs: { estimator: "abs" },
  mse: { estimator: "k2" },
  k2: { estimator: "k2" },
  low_var_kl: { estimator: "k3" },
  k3: { estimator: "k3" },
  "low_var_kl+": { estimator: "k3+" },
  "k3+": { estimator: "k3+" },
  "mse+": { estimator: "k2" },
  "k2+": { estimator: "k2" },
  "kl+": { estimator: "k1", why: MIXED },
  "k1+": { estimator: "k1", why: MIXED },
  "abs+": { estimator: "abs", why: MIXED },
  full: { why: 'verl raises NotImplementedError; refKlEstimator "exact" is what it promises' },
};
