/** The other members of the family as data: the surrogate, and the numbers that were published with it. */
import { findSurrogate } from "../surrogates/table.js";
import type { PresetValue } from "./presets.js";
import { type ObjectiveSpec, SPEC_DEFAULTS, SPEC_KEYS, type SpecKey } from "./spec.js";
import { readSurrogate } from "./surrogate-spec.js";

/** Names of the presets of other publications; to each the perception terms may be added. */
export const FAMILY_PRESET_IDS = [
  "ppo",
  "dr-grpo",
  "bnpo",
  "luspo",
  "cispo",
  "sapo",
  "gspo",
  "gspo-token",
  "gmpo",
  "vespo",
  "gpg",
  "reinforce",
  "clip-cov",
  "kl-cov",
  "dppo",
  "icepop",
  "kpop",
  "vppo",
] as const;
export type FamilyPresetId = (typeof FAMILY_PRESET_IDS)[number];

interface FamilyEntry {
  readonly summary: string;
  /** What was published; every other key is at its default. */
  readonly values: readonly PresetValue[];
}

const PPO = "PPO, arXiv 1707.06347, §6.1";
const GSPO = "GSPO, arXiv 2507.18071, §5.1";
const VPPO = "VPPO, arXiv 2510.09285";
const ENTROPY = "The Entropy Mechanism of RL, arXiv 2505.22617, as verl has it";
const DEFAULT = "papo's default: the publication does not speak of it";

const SEQUENCES = of(
  "reduction",
  "seq-mean-token-mean",
  "mean over sequences of token means, GSPO, Eq. 5",
);

/** Every entry begins with its surrogate, which names its own source. */
export const FAMILY_PRESETS: Readonly<Record<FamilyPresetId, FamilyEntry>> = {
  ppo: {
    summary: "PPO's clip and a token mean",
    values: [surrogate("ppo-clip"), ...clip(0.2, 0.2, PPO)],
  },
  "dr-grpo": {
    summary: "Dr. GRPO: sums of tokens over a constant length, no reference KL",
    values: [
      surrogate("ppo-clip"),
      ...clip(0.2, 0.2, "Dr. GRPO, arXiv 2503.20783, with PPO's clip"),
      of(
        "reduction",
        "seq-mean-token-sum-norm",
        "Dr. GRPO, arXiv 2503.20783, §3.2: divided by a constant",
      ),
    ],
  },
  bnpo: {
    summary: "GRPO with the token mean of the call's own batch: give it no denominators",
    values: [
      surrogate("ppo-clip"),
      ...clip(0.2, 0.2, "TRL's epsilon"),
      of("reduction", "token-mean", 'TRL, loss_type "bnpo": Σ over the local batch / its tokens'),
    ],
  },
  luspo: {
    summary: "LUSPO: GSPO with each sequence weighted by its length",
    values: [
      surrogate("gspo"),
      ...clip(3e-4, 4e-4, `${GSPO}; LUSPO builds on it`),
      of(
        "reduction",
        "seq-mean-token-sum",
        "Length-Unbiased Sequence Policy Optimization (github.com/murphy4122/luspo): mean of length · loss",
      ),
    ],
  },
  cispo: {
    summary: "CISPO: a constant capped importance weight, no token without gradient",
    values: [
      surrogate("cispo"),
      of("reduction", "token-mean", "MiniMax-M1, arXiv 2506.13585, Eq. 4"),
    ],
  },
  sapo: {
    summary: "SAPO: a soft gate in the place of the clip",
    values: [
      surrogate("sapo"),
      of("reduction", "seq-mean-token-mean", "SAPO, arXiv 2511.20347, Eq. 5"),
    ],
  },
  gspo: {
    summary: "GSPO: one ratio per sequence, clipped nearly three orders closer than PPO's",
    values: [surrogate("gspo"), ...clip(3e-4, 4e-4, GSPO), SEQUENCES],
  },
  "gspo-token": {
    summary: "GSPO-token: the ratio of a sequence with a slope of each token's own",
    values: [surrogate("gspo-token"), ...clip(3e-4, 4e-4, GSPO), SEQUENCES],
  },
  gmpo: {
    summary: "GMPO: the geometric mean of ratios, clipped in log space",
    values: [
      surrogate("gmpo"),
      ...clip(0.4, 0.4, "GMPO, arXiv 2507.20673: (e^−0.4, e^0.4)"),
      SEQUENCES,
    ],
  },
  vespo: {
    summary: "VESPO: a smooth weight of the whole sequence's ratio",
    values: [surrogate("vespo"), SEQUENCES],
  },
  gpg: {
    summary: "GPG: the policy gradient alone; its advantages are its own",
    values: [surrogate("reinforce"), of("reduction", "token-mean", "GPG, arXiv 2504.02546")],
  },
  reinforce: {
    summary: "REINFORCE: the policy gradient alone, sums over sequences",
    values: [
      surrogate("reinforce"),
      of(
        "reduction",
        "seq-mean-token-sum",
        "Williams (1992): the log-probability of a sequence is a sum",
      ),
    ],
  },
  "clip-cov": {
    summary: "Clip-Cov: no gradient on a few random tokens of high covariance; needs a seed",
    values: [surrogate("clip-cov"), ...clip(0.2, 0.2, ENTROPY)],
  },
  "kl-cov": {
    summary: "KL-Cov: a penalty on the tokens of highest covariance",
    values: [surrogate("kl-cov"), of("reduction", "token-mean", ENTROPY)],
  },
  dppo: {
    summary: "DPPO: tokens whose probability moved too far are dropped",
    values: [surrogate("dppo")],
  },
  icepop: {
    summary: "IcePop: tokens whose ratio to the sampler is outside a band are dropped",
    values: [surrogate("icepop")],
  },
  kpop: {
    summary: "KPop: tokens whose binary KL to the sampler is too large are dropped",
    values: [surrogate("kpop")],
  },
  vppo: {
    summary:
      "VPPO: policy gradient on the tokens that depend on the image, advantages shaped by it",
    values: [
      surrogate("ppo-clip"),
      ...clip(0.2, 0.28, `${VPPO}, on DAPO's clip`),
      of(
        "policyTokenMask",
        Object.freeze({
          by: "perception",
          top: 0.4,
          level: "sequence",
          choice: "count",
          denominator: "all",
        }),
        `${VPPO}, and its repository's dp_actor.py`,
      ),
      of("advantageShaping", Object.freeze({ kind: "vppo", min: 0.9 }), VPPO),
      of("reduction", "token-mean", `${VPPO}, as DAPO`),
    ],
  },
};

/** Every value of an entry, in the order of the keys: what was published, and papo's defaults. */
export function familyValues(id: FamilyPresetId): readonly PresetValue[] {
  const { values } = FAMILY_PRESETS[id];
  return SPEC_KEYS.map(
    (key) => values.find((value) => value.key === key) ?? of(key, SPEC_DEFAULTS[key], DEFAULT),
  );
}

function of<K extends SpecKey>(key: K, value: ObjectiveSpec[K], source: string): PresetValue {
  return Object.freeze({ key, value, source });
}

function clip(low: number, high: number, source: string): readonly PresetValue[] {
  return [of("clipLow", low, source), of("clipHigh", high, source)];
}

function surrogate(kind: string): PresetValue {
  const source = findSurrogate(kind)?.source ?? kind;
  return of("surrogate", readSurrogate("preset", "surrogate", kind), source);
}
