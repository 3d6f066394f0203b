/**
 * What a batch file calls the results of an evaluation: `expected.NAME` holds an answer, and a result file has the same
 * quantity under NAME.
 */
import type { Evaluation, ObjectiveSpec, TokenValues } from "../index.js";
import type { BatchFile } from "../io/batch-file.js";

/** One number per batch, [1]. */
export const SCALARS: ReadonlyMap<string, (evaluation: Evaluation) => number> = new Map<
  string,
  (evaluation: Evaluation) => number
>([
  ["loss", ({ loss }) => loss],
  ["surrogate", ({ terms }) => terms.surrogate],
  ["ref_kl", ({ terms }) => terms.refKl],
  ["perception_kl", ({ terms }) => terms.perceptionKl],
  ["entropy", ({ terms }) => terms.entropy],
  ["masked_entropy", ({ terms }) => terms.maskedEntropy],
  // Without old log-probs the policy is its own old policy: nothing is clipped, and nothing has moved.
  ["clip_fraction_low", ({ metrics }) => metrics.clipFractionLow ?? 0],
  ["clip_fraction_high", ({ metrics }) => metrics.clipFractionHigh ?? 0],
  ["clip_fraction_dual", ({ metrics }) => metrics.clipFractionDual ?? 0],
  ["approx_kl", ({ metrics }) => metrics.approxKl ?? 0],
]);

/** One number per token, [sequences, tokens] or [rows]. */
export const TOKEN_VALUES: ReadonlyMap<string, keyof TokenValues> = new Map<
  string,
  keyof TokenValues
>([
  ["tokens.log_probs", "logProbs"],
  ["tokens.masked_log_probs", "maskedLogProbs"],
  ["tokens.entropy", "entropy"],
  ["tokens.masked_entropy", "maskedEntropy"],
  ["tokens.kl", "kl"],
  ["tokens.reverse_kl", "reverseKl"],
  ["tokens.ratio", "ratio"],
  ["tokens.clip", "clip"],
  ["tokens.surrogate", "surrogate"],
  ["tokens.ref_kl", "refKl"],
  ["tokens.perception_kl", "perceptionKl"],
]);

/** As large as the logits. */
export const GRADIENTS = ["grad_logits", "grad_masked_logits"] as const;
export type GradientName = (typeof GRADIENTS)[number];

export function isGradient(name: string): name is GradientName {
  return (GRADIENTS as readonly string[]).includes(name);
}

/** Names of the per-token values that an evaluation of this file gives; the others have no input in it. */
export function tokenValuesOf({ has }: BatchFile, spec: ObjectiveSpec): string[] {
  const isExact = spec.perceptionKlEstimator.startsWith("exact");
  const without: Partial<Record<keyof TokenValues, boolean>> = {
    maskedLogProbs: !has.maskedLogits && !has.maskedLogProbs,
    maskedEntropy: !has.maskedLogits,
    kl: !has.maskedLogits,
    reverseKl: !has.maskedLogits,
    refKl: !has.refLogProbs,
    perceptionKl: !has.maskedLogits && (isExact || !has.maskedLogProbs),
  };
  return [...TOKEN_VALUES].filter(([, key]) => !without[key]).map(([name]) => name);
}
