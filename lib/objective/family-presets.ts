/** The other members of the family as data: the surrogate, and the numbers that were published with it. */
import { findSurrogate } from "../surrogates/table.js";
import type { PresetValue } from "./presets.js";
import { type ObjectiveSpec, SPEC_DEFAULTS, SPEC_KEYS, type SpecKey } from "./spec.js";
import { readSurrogate, type SurrogateInput } from "./surrogate-spec.js";

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

const PPO = "PPO, arXiv 1707.06347";
const GSPO = "GSPO, arXiv 2507.18071, §5.1";
const DR_GRPO = "Dr. GRPO, arXiv 2503.20783";
const LUSPO = "LUSPO, arXiv 2602.05261";
const VPPO = "VPPO, arXiv 2510.09285";
const VPPO_CODE = "VPPO-RL, the authors' repository";
const ENTROPY = "the authors' scripts of arXiv 2505.22617, verl recipe/entropy";
const DEFAULT = "papo's default";

/** Every entry begins with its surrogate, which names its own source. */
export const FAMILY_PRESETS: Readonly<Record<FamilyPresetId, FamilyEntry>> = {
  ppo: {
    summary: "PPO's clip and a token mean",
    values: [
      surrogate("ppo-clip"),
      ...clip(0.2, 0.2, `${PPO}, Table 1: the best of three`),
      of("reduction", "token-mean", `${PPO}, Eq. 7: a mean over time steps`),
    ],
  },
  "dr-grpo": {
    summary: "Dr. GRPO: sums of tokens over a constant length, no reference KL",
    values: [
      surrogate("ppo-clip"),
      ...clip(0.2, 0.2, `${DR_GRPO}, Table 6`),
      of("refKlCoef", 0, `${DR_GRPO}: β = 0 throughout`),
      of(
        "reduction",
        "seq-mean-token-sum-norm",
        `${DR_GRPO}: its code divides sums of tokens by a constant, the longest response`,
      ),
    ],
  },
  bnpo: {
    summary: "GRPO with the token mean of the call's own batch: give it no denominators",
    values: [
      surrogate("ppo-clip"),
      ...clip(0.2, 0.2, "default of TRL's epsilon"),
      of("reduction", "token-mean", 'TRL, loss_type "bnpo": Σ over the local batch / its tokens'),
    ],
  },
  luspo: {
    summary: "LUSPO: GSPO with each sequence weighted by its length",
    values: [
      surrogate("gspo"),
      ...clip(2e-3, 2.5e-3, `${LUSPO}, §5.1`),
      of("reduction", "seq-mean-token-sum", `${LUSPO}, Eq. 7: mean of length · loss`),
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
    summary: "GSPO: one ratio per sequence, clipped some 500 times closer than PPO's",
    values: [
      surrogate("gspo"),
      ...clip(3e-4, 4e-4, GSPO),
      of("reduction", "seq-mean-token-mean", "GSPO, Eq. 5: a mean over sequences"),
    ],
  },
  "gspo-token": {
    summary: "GSPO-token: the ratio of a sequence with a slope of each token's own",
    values: [
      surrogate("gspo-token"),
      ...clip(3e-4, 4e-4, `${GSPO}: GSPO's, there are none of its own`),
      of("reduction", "seq-mean-token-mean", "GSPO, Eq. 13: means of tokens, then of sequences"),
    ],
  },
  gmpo: {
    summary: "GMPO: the geometric mean of ratios, clipped in log space",
    values: [
      surrogate("gmpo"),
      ...clip(0.4, 0.4, "GMPO, arXiv 2507.20673: (e^−0.4, e^0.4)"),
      of("reduction", "seq-mean-token-mean", "GMPO, arXiv 2507.20673: a mean over sequences"),
    ],
  },
  vespo: {
    summary: "VESPO: a smooth weight of the whole sequence's ratio",
    values: [
      surrogate("vespo"),
      of("reduction", "token-mean", 'TRL, loss_type "vespo"; the paper leaves it open'),
    ],
  },
  gpg: {
    summary: "GPG: the policy gradient alone; its advantages are its own",
    values: [surrogate("reinforce"), of("reduction", "token-mean", "GPG, arXiv 2504.02546, Eq. 5")],
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
    values: [
      surrogate("clip-cov"),
      ...clip(1, 1, `${ENTROPY}/7b_clip_cov.sh: PPO's clip hardly acts beside it`),
      of("reduction", "token-mean", `${ENTROPY}/7b_clip_cov.sh`),
    ],
  },
  "kl-cov": {
    summary: "KL-Cov: a penalty on the tokens of highest covariance",
    values: [
      surrogate(
        { kind: "kl-cov", fraction: 2e-3, coefficient: 1 },
        `${ENTROPY}/7b_kl_cov.sh; verl's default is 2e-4 of the tokens`,
      ),
      of("reduction", "token-mean", `${ENTROPY}/7b_kl_cov.sh`),
    ],
  },
  dppo: {
    summary: "DPPO: tokens whose probability moved too far, and would move on, are dropped",
    values: [
      surrogate(
        { kind: "dppo", divergence: "tv", low: 0.15, high: 0.15, conditional: true },
        "DPPO, arXiv 2602.04879, binary TV; 0.15 as verl's examples/dppo_trainer, from the authors",
      ),
    ],
  },
  icepop: {
    summary: "IcePop: tokens whose ratio to the sampler is outside a band are dropped",
    values: [
      surrogate(
        { kind: "icepop", low: 0.5, high: 5 },
        "INTELLECT-3, arXiv 2512.16144, §3.3; the band of Ring-1T, arXiv 2510.18855, §2.3.4 too",
      ),
    ],
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
      ...clip(0.2, 0.28, `${VPPO_CODE}, examples/configs/config.yaml: DAPO's`),
      of("clipDual", 3, `default of ${VPPO_CODE}, verl/workers/actor/config.py`),
      of(
        "policyTokenMask",
        Object.freeze({
          by: "perception",
          top: 0.4,
          level: "sequence",
          choice: "count",
          denominator: "all",
        }),
        `${VPPO}: k = 0.4; ${VPPO_CODE}, verl/workers/actor/dp_actor.py`,
      ),
      of(
        "advantageShaping",
        Object.freeze({ kind: "vppo", min: 0.9 }),
        `${VPPO_CODE}, examples/configs/train_vppo_7b.sh`,
      ),
      of("entropyCoef", 0.06, `${VPPO_CODE}, examples/configs/train_vppo_7b.sh`),
      of("entropyEstimator", "sampled", `${VPPO_CODE}, verl/workers/actor/dp_actor.py`),
      of(
        "reduction",
        "token-mean",
        `default of ${VPPO_CODE}, verl/workers/actor/config.py; the paper writes means of sequences`,
      ),
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

/** A surrogate with its defaults, which its own source is of, or with numbers from another source. */
function surrogate(given: SurrogateInput, source?: string): PresetValue {
  const spec = readSurrogate("preset", "surrogate", given);
  return of("surrogate", spec, source ?? findSurrogate(spec.kind)?.source ?? spec.kind);
}
