/** The loss types of TRL, which Liger has under the same names: a surrogate and a reduction each. */
import type { Reduction } from "../functional/row-weights.js";
import type { ObjectiveSpecInput } from "../objective/spec.js";
import type { Contribution, Difference, PeerOptions } from "./peer.js";
import { nonNegative, positive } from "./readers.js";

export const LOSS_TYPES = [
  "grpo",
  "bnpo",
  "dr_grpo",
  "dapo",
  "luspo",
  "cispo",
  "sapo",
  "vespo",
] as const;
export type LossType = (typeof LOSS_TYPES)[number];

/** "sequence_token" is that of TRL's experimental GSPO-token trainer. */
export const RATIO_LEVELS = ["token", "sequence", "sequence_token"] as const;
export type RatioLevel = (typeof RATIO_LEVELS)[number];

/** Parameters of SAPO and VESPO, named alike in both peers. */
interface LossShapeOptions {
  readonly sapo_temperature_pos: number;
  readonly sapo_temperature_neg: number;
  readonly vespo_k_pos: number;
  readonly vespo_lambda_pos: number;
  readonly vespo_k_neg: number;
  readonly vespo_lambda_neg: number;
}

/** The options of both peers that a loss type reads. */
export interface LossTypeOptions extends LossShapeOptions {
  readonly loss_type: LossType;
  readonly importance_sampling_level: RatioLevel;
}

export const LOSS_SHAPES: PeerOptions<LossShapeOptions, unknown> = {
  sapo_temperature_pos: {
    default: 1,
    read: positive,
    meaning: "SAPO's τ of tokens with positive advantage.",
    ours: ["surrogate"],
  },
  sapo_temperature_neg: {
    default: 1.05,
    read: positive,
    meaning: "SAPO's τ of all other tokens.",
    ours: ["surrogate"],
  },
  vespo_k_pos: {
    default: 2,
    read: nonNegative,
    meaning: "VESPO's power where the advantage is not negative.",
    ours: ["surrogate"],
  },
  vespo_lambda_pos: {
    default: 3,
    read: nonNegative,
    meaning: "VESPO's decay where the advantage is not negative.",
    ours: ["surrogate"],
  },
  vespo_k_neg: {
    default: 3,
    read: nonNegative,
    meaning: "VESPO's power where the advantage is negative.",
    ours: ["surrogate"],
  },
  vespo_lambda_neg: {
    default: 2,
    read: nonNegative,
    meaning: "VESPO's decay where the advantage is negative.",
    ours: ["surrogate"],
  },
};

type Surrogate = NonNullable<ObjectiveSpecInput["surrogate"]>;

interface LossTypeEntry {
  readonly reduction: Reduction;
  /** Whether PPO's clip is its surrogate, at any level of the ratio. */
  readonly clips: boolean;
  readonly surrogate: (options: LossTypeOptions, cap: number) => Surrogate;
  /** The tokens of the whole batch of an update are its denominator. */
  readonly global?: true;
}

/** PPO's clip on the ratio of a token, of a sequence, or of a sequence with each token's gradient. */
const CLIPPED: Readonly<Record<RatioLevel, Surrogate>> = {
  token: { kind: "ppo-clip" },
  sequence: { kind: "gspo" },
  // TRL has no bound on the sequence's log-ratio; 700 is where exp stays finite.
  sequence_token: { kind: "gspo-token", sequenceLogRatioMax: 700 },
};

const clipped = (options: LossTypeOptions) => CLIPPED[options.importance_sampling_level];

const ENTRIES: Readonly<Record<LossType, LossTypeEntry>> = {
  grpo: { reduction: "seq-mean-token-mean", clips: true, surrogate: clipped },
  bnpo: { reduction: "token-mean", clips: true, surrogate: clipped },
  dr_grpo: { reduction: "seq-mean-token-sum-norm", clips: true, surrogate: clipped },
  dapo: { reduction: "token-mean", clips: true, surrogate: clipped, global: true },
  luspo: { reduction: "seq-mean-token-sum", clips: true, surrogate: clipped },
  cispo: {
    reduction: "token-mean",
    clips: false,
    surrogate: (_, cap) => ({ kind: "cispo", ratioCap: cap }),
    global: true,
  },
  sapo: {
    reduction: "seq-mean-token-mean",
    clips: false,
    surrogate: (options) => ({
      kind: "sapo",
      temperaturePositive: options.sapo_temperature_pos,
      temperatureNegative: options.sapo_temperature_neg,
    }),
  },
  vespo: {
    reduction: "token-mean",
    clips: false,
    surrogate: (options) => ({
      kind: "vespo",
      // Both peers hold λ at 1e-4 from below.
      powerPositive: options.vespo_k_pos,
      decayPositive: Math.max(options.vespo_lambda_pos, 1e-4),
      powerNegative: options.vespo_k_neg,
      decayNegative: Math.max(options.vespo_lambda_neg, 1e-4),
    }),
    global: true,
  },
};

/** Whether a loss type clips as PPO does. */
export function isClipped(type: LossType): boolean {
  return ENTRIES[type].clips;
}

/** What a loss type is. @param cap  epsilon_high, which CISPO reads as the largest ratio */
export function lossTypeOf(options: LossTypeOptions, cap: number): Contribution {
  const entry = ENTRIES[options.loss_type];
  return {
    spec: {
      surrogate: entry.surrogate(options, cap),
      reduction: entry.reduction,
      // The one limit that is named: log w of VESPO is at most 20.
      ...(options.loss_type === "vespo" ? { logRatioLimit: 20 } : {}),
    },
    ...(entry.global
      ? { wholeBatch: ["tokens"], rules: [GLOBAL_TOKENS] }
      : { rules: [LOCAL_MEAN] }),
  };
}

const GLOBAL_TOKENS =
  "denominators.tokens: the counted tokens of all micro-batches and processes of an update; with several processes worldSize too.";
const LOCAL_MEAN =
  "Each micro-batch is divided by its own counts; average the losses and gradients of the micro-batches of an update.";

export const RAW_CAP: Difference = {
  what: "cispo reads epsilon_high as the cap of the ratio itself, not as 1 + epsilon_high.",
  why: "that is the peer's definition and is kept; its default of 0.2 scales every token to a fifth",
};
