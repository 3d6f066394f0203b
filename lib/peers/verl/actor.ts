/** verl's actor: what its loss is. */
import { REDUCTIONS, type Reduction } from "../../functional/row-weights.js";
import { nullOr, oneOf, readFlag } from "../../objective/spec-values.js";
import type { Contribution, PeerOptions } from "../peer.js";
import { finite, fraction, nonNegative, positive, wordOf } from "../readers.js";
import { klOf, measuredKlOf, readKlWord } from "./kl.js";
import { LOSS_MODES, type LossNumbers, VERL_LOSSES } from "./losses.js";
import { ACTOR, type VerlActorOptions, type VerlOptions } from "./options.js";

const POLICY_LOSS = `${ACTOR}.policy_loss`;
const AGG_MODES = REDUCTIONS.filter((reduction) => reduction !== "sum");

export const VERL_ACTOR: PeerOptions<VerlActorOptions, VerlOptions> = {
  loss_mode: {
    section: POLICY_LOSS,
    alsoNamed: [POLICY_LOSS],
    default: "vanilla",
    read: wordOf(LOSS_MODES, { geometric_mean: "geo_mean" }),
    meaning: "The surrogate.",
    ours: ["surrogate"],
    to: (_, options) => {
      const { surrogate, rules, differences } = lossOf(options);
      return { spec: { surrogate: surrogate(numbersOf(options)) }, rules, differences };
    },
  },
  clip_cov_ratio: {
    section: POLICY_LOSS,
    default: 2e-4,
    read: fraction,
    meaning: "Clip-Cov: dropped tokens per counted token.",
    ours: ["surrogate"],
  },
  clip_cov_lb: {
    section: POLICY_LOSS,
    default: 1,
    read: finite,
    meaning: "Clip-Cov: candidates have a covariance above it.",
    ours: ["surrogate"],
  },
  clip_cov_ub: {
    section: POLICY_LOSS,
    default: 5,
    read: finite,
    meaning: "Clip-Cov: candidates have a covariance below it.",
    ours: ["surrogate"],
  },
  kl_cov_ratio: {
    section: POLICY_LOSS,
    default: 2e-4,
    read: fraction,
    meaning: "KL-Cov: penalised tokens per counted token.",
    ours: ["surrogate"],
  },
  ppo_kl_coef: {
    section: POLICY_LOSS,
    default: 0.1,
    read: nonNegative,
    meaning: "KL-Cov: weight of the penalty (1.0 where the function is called without a config).",
    ours: ["surrogate"],
  },
  clip_ratio: {
    section: ACTOR,
    default: 0.2,
    read: fraction,
    meaning: "Clip on both sides where low and high are null.",
    ours: ["clipLow", "clipHigh"],
  },
  clip_ratio_low: {
    section: ACTOR,
    default: 0.2,
    read: nullOr(fraction),
    meaning: "The ratio is clipped below at 1 − it.",
    ours: ["clipLow"],
    to: (_, options) => ({ spec: { clipLow: numbersOf(options).low } }),
  },
  clip_ratio_high: {
    section: ACTOR,
    default: 0.2,
    read: nullOr(nonNegative),
    meaning: "The ratio is clipped above at 1 + it.",
    ours: ["clipHigh"],
    to: (_, options) => ({ spec: { clipHigh: numbersOf(options).high } }),
  },
  clip_ratio_c: {
    section: ACTOR,
    default: 3,
    read: positive,
    meaning: "Dual clip, in PPO's loss only.",
    ours: ["clipDual"],
    to: (dual, options) => {
      if (!lossOf(options).dual) return {};
      if (dual > 1 + numbersOf(options).high) return { spec: { clipDual: dual } };
      return { notExpressible: "at or below 1 + clip_ratio_high it undercuts the ordinary clip" };
    },
  },
  tau_pos: {
    section: ACTOR,
    default: 1,
    read: positive,
    meaning: "SAPO's τ of tokens with positive advantage.",
    ours: ["surrogate"],
  },
  tau_neg: {
    section: ACTOR,
    default: 1.05,
    read: positive,
    meaning: "SAPO's τ of all other tokens.",
    ours: ["surrogate"],
  },
  loss_agg_mode: {
    section: ACTOR,
    default: "token-mean",
    read: oneOf(AGG_MODES),
    meaning: "How tokens become one number: policy loss, reference KL and entropy alike.",
    ours: ["reduction", "denominatorEpsilon", "denominators"],
    to: aggregation,
  },
  loss_scale_factor: {
    section: ACTOR,
    default: null,
    read: nullOr(positive),
    meaning: "What seq-mean-token-sum-norm divides by; null: the padded length of the responses.",
    ours: ["denominators"],
  },
  entropy_coeff: {
    section: ACTOR,
    default: 0,
    read: finite,
    meaning: "Bonus for entropy, exact: subtracted from the loss.",
    ours: ["entropyCoef", "batch"],
    to: (coef) => ({
      spec: { entropyCoef: coef === 0 ? 0 : -coef },
      batch: coef === 0 ? [] : ["entropy"],
      differences: coef === 0 ? [] : [LOCAL_TERMS],
    }),
  },
  use_kl_loss: {
    section: ACTOR,
    default: false,
    read: readFlag,
    meaning: "Whether the loss has a reference KL.",
    ours: ["refKlCoef", "batch"],
    to: (uses, { kl_loss_coef }) =>
      uses
        ? {
            spec: { refKlCoef: kl_loss_coef },
            batch: ["refLogProbs"],
            differences: [LOCAL_TERMS],
          }
        : {},
  },
  kl_loss_coef: {
    section: ACTOR,
    default: 0.001,
    read: finite,
    meaning: "Weight of the reference KL, with use_kl_loss.",
    ours: ["refKlCoef"],
  },
  kl_loss_type: {
    section: ACTOR,
    default: "low_var_kl",
    read: readKlWord,
    meaning: "Its estimator; with + the value is that one's and the gradient k2's.",
    ours: ["refKlEstimator"],
    to: (word, { use_kl_loss }) => (use_kl_loss ? klOf(word) : measuredKlOf(word)),
  },
  temperature: {
    section: "actor_rollout_ref.rollout",
    default: 1,
    read: positive,
    meaning: "Logits are divided by it, in sampling and in scoring.",
    ours: ["temperature"],
    to: (temperature) => ({ spec: { temperature } }),
  },
};

function numbersOf(options: VerlOptions): LossNumbers {
  const { clip_ratio, clip_ratio_low, clip_ratio_high } = options;
  return {
    low: clip_ratio_low ?? clip_ratio,
    high: clip_ratio_high ?? clip_ratio,
    dual: options.clip_ratio_c,
    tauPositive: options.tau_pos,
    tauNegative: options.tau_neg,
    clipCov: {
      fraction: options.clip_cov_ratio,
      lower: options.clip_cov_lb,
      upper: options.clip_cov_ub,
    },
    klCov: { fraction: options.kl_cov_ratio, coefficient: options.ppo_kl_coef },
  };
}

/** The policy loss in force: bypass mode has two of its own, whatever loss_mode says. */
function lossOf({ bypass_mode, loss_type, loss_mode }: VerlOptions) {
  if (!bypass_mode) return VERL_LOSSES[loss_mode];
  return VERL_LOSSES[loss_type === "ppo_clip" ? "vanilla" : "gpg"];
}

function aggregation(mode: Reduction, options: VerlOptions): Contribution {
  const { reduction = mode, isPlainMean = false } = lossOf(options);
  const spec = {
    reduction,
    // Entropy and KL stay with loss_agg_mode where the policy loss insists on its own.
    entropyReduction: reduction === mode ? "same" : "token-mean",
    // verl divides by counts + 1e-8 within a sequence, and by the plain count of tokens.
    denominatorEpsilon: reduction === "token-mean" ? 0 : 1e-8,
    emptySequences: isPlainMean ? "count" : "skip",
  } as const;
  const notExpressible = reduction === mode ? undefined : otherReductionOf(mode, options);
  if (reduction === "seq-mean-token-sum-norm") return { spec, ...undivided(options) };
  const counts = [
    ...(isPlainMean ? [] : ([reduction === "token-mean" ? "tokens" : "sequences"] as const)),
    ...(reduction !== mode && options.entropy_coeff !== 0 ? (["tokens"] as const) : []),
  ];
  return { spec, notExpressible, wholeBatch: counts, rules: counts.map((count) => WHOLE[count]) };
}

/** Why terms beside a policy loss with a reduction of its own have none of theirs, if they are on. */
function otherReductionOf(mode: Reduction, options: VerlOptions): string | undefined {
  const { use_kl_loss, kl_loss_coef, entropy_coeff, loss_mode } = options;
  const hasKl = use_kl_loss && kl_loss_coef !== 0;
  if (!hasKl && (entropy_coeff === 0 || mode === "token-mean")) return undefined;
  const terms = hasKl ? "the reference KL" : "the entropy";
  return `${loss_mode} reduces by seq-mean-token-mean itself; ${terms} beside it has no reduction of its own here`;
}

const LOCAL_TERMS = {
  what: "verl's legacy actor divides entropy and reference KL by the counts of the micro-batch, and only the policy term by those of the mini-batch; here all by one.",
  why: "the weight of a term should not depend on how a batch is cut (dp_actor.py:575-656)",
};

const WHOLE = {
  tokens:
    "denominators.tokens: the counted tokens of the whole mini-batch; with several processes worldSize too.",
  sequences:
    "denominators.sequences: the sequences of the whole mini-batch; with several processes worldSize too.",
} as const;

function undivided({ loss_scale_factor: scale }: VerlOptions): Contribution {
  const length = scale === null ? "left out (the padded length)" : `${scale}`;
  return {
    denominators: { sequences: 1, ...(scale === null ? {} : { maxLength: scale }) },
    rules: [
      `denominators: sequences 1, maxLength ${length}. verl does not divide by the number of sequences.`,
    ],
    differences: [
      {
        what: "seq-mean-token-sum-norm is not divided by the number of sequences in verl.",
        why: "against Dr. GRPO, whose formula it is (core_algos.py:1075-1079; issues 3741, 5366); denominators.sequences 1 gives verl's number",
      },
    ],
  };
}
