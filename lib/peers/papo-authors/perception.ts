/** The PAPO authors' perception term. */
import { nullOr, oneOf, readFlag } from "../../objective/spec-values.js";
import type { Contribution, PeerOptions } from "../peer.js";
import { count, finite, fraction, nonNegative, positive, share } from "../readers.js";
import {
  ALGORITHM,
  APPLY_MODES,
  type ApplyMode,
  ESTIMATORS,
  FULL,
  KL_PENALTIES,
  type PapoOptions,
  type PapoPerceptionOptions,
} from "./options.js";

export const PAPO_PERCEPTION: PeerOptions<PapoPerceptionOptions, PapoOptions> = {
  use_kl_prcp: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.use_contrastive_kl`],
    default: false,
    read: readFlag,
    meaning: "Whether there is a perception term.",
    ours: ["perceptionKlCoef", "batch"],
    to: (uses, options) => (uses ? perceptionCoefficient(options) : {}),
  },
  kl_prcp_coef: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_coef`],
    default: 1e-3,
    read: finite,
    meaning: "γ, weight of the perception KL.",
    ours: ["perceptionKlCoef"],
  },
  kl_prcp_penalty: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_penalty`],
    default: "kl",
    read: oneOf(KL_PENALTIES),
    meaning: "Estimator of the perception KL; the class defaults to k1, every yaml to low_var_kl.",
    ours: ["perceptionKlEstimator"],
    to: (word, { use_kl_prcp }) => {
      const estimator = ESTIMATORS[word];
      if (estimator === undefined) return { notExpressible: FULL };
      return use_kl_prcp ? { spec: { perceptionKlEstimator: estimator } } : {};
    },
  },
  kl_prcp_schedule: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_schedule`],
    default: "fixed",
    read: oneOf(["fixed", "annealing"]),
    meaning: "γ is constant, or falls on a line.",
    ours: ["perceptionKlCoef", "entropyAnnealing"],
    to: (schedule, options) => {
      if (schedule === "fixed" || !options.use_kl_prcp) return {};
      if (options.max_steps !== null) return { spec: { entropyAnnealing: "with-perception" } };
      return { notExpressible: "its length is a share of all steps: give trainer.max_steps" };
    },
  },
  "kl_prcp_schedule_args.start_value": {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_schedule_args.start_value`],
    default: null,
    read: nullOr(finite),
    meaning: "Annealing: γ at first; kl_prcp_coef if not said.",
    ours: ["perceptionKlCoef"],
  },
  "kl_prcp_schedule_args.end_value": {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_schedule_args.end_value`],
    default: 0,
    read: finite,
    meaning: "Annealing: γ at last.",
    ours: ["perceptionKlCoef"],
  },
  "kl_prcp_schedule_args.annealing_ratio": {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_schedule_args.annealing_ratio`],
    default: 0.5,
    read: fraction,
    meaning: "Annealing: its share of all steps.",
    ours: ["perceptionKlCoef"],
  },
  max_steps: {
    section: "trainer",
    default: null,
    read: nullOr(count),
    meaning: "All training steps, which annealing is a share of.",
    ours: ["perceptionKlCoef"],
  },
  kl_prcp_apply_mode: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_apply_mode`],
    default: "all",
    read: oneOf(APPLY_MODES),
    meaning:
      "Which sequences have a perception term; all but the first mode are in the history only.",
    ours: ["perceptionWeighting", "batch"],
    to: (mode, options) => (options.use_kl_prcp ? weighting(mode, options) : {}),
  },
  incorrect_weighting: {
    section: ALGORITHM,
    default: 0.1,
    read: nonNegative,
    meaning: "acc_weighted: weight of sequences that are not correct.",
    ours: ["incorrectWeight"],
  },
  use_kl_prcp_token_level_mask: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.use_contrastive_kl_token_level_mask`],
    default: false,
    read: readFlag,
    meaning: "Only the tokens of highest perception KL have a perception term.",
    ours: ["perceptionTokenMask"],
    to: (uses, { use_kl_prcp, kl_prcp_token_level_mask_top_p: top }) =>
      uses && use_kl_prcp
        ? { spec: { perceptionTokenMask: { top, level: "sequence", denominator: "all" } } }
        : {},
  },
  kl_prcp_token_level_mask_top_p: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_token_level_mask_top_p`],
    default: 0.2,
    read: share,
    meaning:
      "Which fraction of a sequence's tokens that is; γ shrinks by it, as its denominator stays.",
    ours: ["perceptionTokenMask"],
  },
  use_kl_prcp_clipping: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.use_contrastive_kl_clipping`],
    default: false,
    read: readFlag,
    meaning: "The perception KL of a token is held between 0 and a bound.",
    ours: ["perceptionKlMin", "perceptionKlMax"],
    to: (clips, { use_kl_prcp, kl_prcp_clipping, kl_prcp_apply_mode }) =>
      clips && use_kl_prcp
        ? {
            spec: { perceptionKlMin: 0, perceptionKlMax: kl_prcp_clipping },
            differences: kl_prcp_apply_mode === "all" ? [] : [WEIGHT_FIRST],
          }
        : {},
  },
  kl_prcp_clipping: {
    section: ALGORITHM,
    alsoNamed: [`${ALGORITHM}.contrastive_kl_clipping`],
    default: 0.2,
    read: positive,
    meaning: "That bound, nats; no gradient beyond it.",
    ours: ["perceptionKlMax"],
  },
};

function perceptionCoefficient(options: PapoOptions): Contribution {
  const { kl_prcp_coef, kl_prcp_schedule, max_steps } = options;
  const from = options["kl_prcp_schedule_args.start_value"] ?? kl_prcp_coef;
  const batch = ["maskedLogProbs"] as const;
  if (kl_prcp_schedule === "fixed") return { spec: { perceptionKlCoef: kl_prcp_coef }, batch };
  if (max_steps === null) return { spec: { perceptionKlCoef: from }, batch };
  const to = options["kl_prcp_schedule_args.end_value"];
  const steps = Math.floor(max_steps * options["kl_prcp_schedule_args.annealing_ratio"]);
  return {
    spec: { perceptionKlCoef: steps < 1 ? to : { kind: "linear", from, to, steps } },
    batch,
    differences: from === kl_prcp_coef ? [] : [DISCOUNT],
  };
}

function weighting(mode: ApplyMode, { incorrect_weighting }: PapoOptions): Contribution {
  if (mode === "all") return {};
  return {
    spec:
      mode === "correct_only"
        ? { perceptionWeighting: "correct-only" }
        : { perceptionWeighting: "accuracy-weighted", incorrectWeight: incorrect_weighting },
    batch: ["accuracies"],
  };
}

const WEIGHT_FIRST = {
  what: "The authors clip a token's perception KL after the weight of its sequence, here before.",
  why: "a bound on the KL should not depend on whether the answer was right (dp_actor.py:336-354)",
};
const DISCOUNT = {
  what: "The authors scale entropies by γ_now / kl_prcp_coef, here by γ_now / γ_first.",
  why: "start_value is not kl_prcp_coef; equal where both are (dp_actor.py:365-381)",
};
