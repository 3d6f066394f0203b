/** A valid call of what goes with an objective: rollout mismatch, selection, controllers, and steps of the builder. */
import {
  AdaptiveEntropy,
  AdaptiveKl,
  divergenceRange,
  type ObjectiveBuilder,
  objective,
  offPolicyMask,
  perceptionReward,
  quantileThreshold,
  rolloutDiagnostics,
  rolloutRejection,
  rolloutWeights,
  topTokenMask,
  vppoAdvantages,
} from "../../lib/index.js";

type Fields = Record<string, unknown>;
type Calls = Record<string, readonly [(fields: Fields) => unknown, () => Fields]>;

/** Three tokens of two sequences; the last does not count. */
const sequences = (): Fields => ({
  responseMask: [1, 1, 0],
  shape: [3],
  cuSeqlens: [0, 2, 3],
});
const logProbs = (): Fields => ({
  oldLogProbs: [-1, -0.5, -2],
  rolloutLogProbs: [-1.5, -0.25, -2],
  logRatioLimit: 20,
  ...sequences(),
});
const divergences = (): Fields => ({ divergences: [0.5, 1, 2], ...sequences() });
const rejection = (): Fields => ({ by: "k1", level: "token", max: 4, min: 0.25 });
const correction = (): Fields => ({
  level: "token",
  mode: "truncate",
  max: 2,
  min: 0.5,
  batchNormalize: true,
});

const ROLLOUT_CALLS: Calls = {
  rolloutWeights: [
    (f) => rolloutWeights(f as never),
    () => ({ ...logProbs(), ...correction(), weightMean: 2 }),
  ],
  rolloutRejection: [
    (f) => rolloutRejection(f as never),
    () => ({ ...logProbs(), ...rejection() }),
  ],
  rolloutDiagnostics: [(f) => rolloutDiagnostics(f as never), logProbs],
  offPolicyMask: [
    (f) => offPolicyMask(f as never),
    () => ({
      logProbs: [-1, -0.5, -2],
      samplerLogProbs: [-1.5, -0.25, -2],
      advantages: [1, -1, 0.5],
      threshold: 0.1,
      ...sequences(),
    }),
  ],
};

const SELECTION_CALLS: Calls = {
  quantileThreshold: [
    (f) => quantileThreshold(f as never),
    () => ({ values: [1, 2, 3], top: 0.5, ...sequences() }),
  ],
  topTokenMask: [
    (f) => topTokenMask(f as never),
    () => ({ values: [1, 2, 3], top: 0.5, level: "batch", choice: "count", ...sequences() }),
  ],
  "topTokenMask by a threshold": [
    (f) => topTokenMask(f as never),
    () => ({ values: [1, 2, 3], threshold: 1.5, ...sequences() }),
  ],
  divergenceRange: [(f) => divergenceRange(f as never), divergences],
  vppoAdvantages: [
    (f) => vppoAdvantages(f as never),
    () => ({
      advantages: [1, -1],
      min: 0.9,
      range: { low: 0, high: 2, mean: 0.5 },
      ...divergences(),
    }),
  ],
  "vppoAdvantages, range": [
    (range) => vppoAdvantages({ advantages: [1, -1], ...divergences(), range } as never),
    () => ({ low: 0, high: 2, mean: 0.5 }),
  ],
  perceptionReward: [
    (f) => perceptionReward(f as never),
    () => ({
      rewards: [1, 0],
      coef: 0.1,
      min: 0,
      max: 0.2,
      weighting: "correct-only",
      accuracies: [1, 0],
      correctThreshold: 0.1,
      ...divergences(),
    }),
  ],
};

const entropyOptions = (): Fields => ({
  target: 0.2,
  delta: 0.005,
  min: 0,
  max: 1,
  coefficient: 0.5,
});
const klOptions = (): Fields => ({ coefficient: 0.1, target: 2, horizon: 100 });

const CONTROLLER_CALLS: Calls = {
  "new AdaptiveEntropy": [(f) => new AdaptiveEntropy(f as never), entropyOptions],
  "AdaptiveEntropy.fromState": [
    (f) => AdaptiveEntropy.fromState(f as never).update(1),
    () => ({ ...new AdaptiveEntropy(entropyOptions() as never).state() }),
  ],
  "AdaptiveEntropy.update": [
    ({ entropy }) => new AdaptiveEntropy().update(entropy as never),
    () => ({ entropy: 0.1 }),
  ],
  "AdaptiveEntropy.state": [(f) => new AdaptiveEntropy(f as never).state(), entropyOptions],
  "AdaptiveEntropy.toJSON": [
    (f) => JSON.stringify(new AdaptiveEntropy(f as never)),
    entropyOptions,
  ],
  "new AdaptiveKl": [(f) => new AdaptiveKl(f as never), klOptions],
  "AdaptiveKl.fromState": [
    (f) => AdaptiveKl.fromState(f as never).update(1, 2),
    () => ({ ...new AdaptiveKl(klOptions() as never).state() }),
  ],
  "AdaptiveKl.update": [
    ({ kl, steps }) => new AdaptiveKl(klOptions() as never).update(kl as never, steps as never),
    () => ({ kl: 1, steps: 8 }),
  ],
  "AdaptiveKl.state": [(f) => new AdaptiveKl(f as never).state(), klOptions],
  "AdaptiveKl.toJSON": [(f) => JSON.stringify(new AdaptiveKl(f as never)), klOptions],
};

/** A step of the builder; what it makes is put together, so that what depends on two keys is checked too. */
const step = (
  take: (builder: ObjectiveBuilder, fields: never) => ObjectiveBuilder,
  fields: () => Fields,
): Calls[string] => [(f) => take(objective(), f as never).build(), fields];

const tokenMask = (): Fields => ({
  top: 0.5,
  level: "batch",
  choice: "count",
  denominator: "kept",
});

const BUILDER_CALLS: Calls = {
  "ObjectiveBuilder.surrogate": step(
    (builder, f) => builder.surrogate(f),
    () => ({
      kind: "dppo",
      divergence: "kl",
      low: 0.1,
      high: 0.1,
      conditional: true,
      logRatioPenalty: 1e-3,
    }),
  ),
  "ObjectiveBuilder.surrogate by name": step(
    (builder, { kind }: { kind: never }) => builder.surrogate(kind),
    () => ({ kind: "gspo" }),
  ),
  "ObjectiveBuilder.policy": step(
    (builder, f) => builder.policy(f),
    () => ({
      tokenMask: { by: "entropy", ...tokenMask() },
      advantageShaping: { kind: "vppo", min: 0.9 },
      offPolicyMask: { threshold: 0.1 },
      rolloutCorrection: { ...correction(), reject: rejection() },
    }),
  ),
  "ObjectiveBuilder.policy, tokenMask": step(
    (builder, mask) => builder.policy({ tokenMask: mask }),
    () => ({ by: "perception", ...tokenMask() }),
  ),
  "ObjectiveBuilder.policy, advantageShaping": step(
    (builder, advantageShaping) => builder.policy({ advantageShaping }),
    () => ({ kind: "vppo", min: 0.9 }),
  ),
  "ObjectiveBuilder.policy, offPolicyMask": step(
    (builder, mask) => builder.policy({ offPolicyMask: mask }),
    () => ({ threshold: 0.1 }),
  ),
  "ObjectiveBuilder.policy, rolloutCorrection": step(
    (builder, rolloutCorrection) => builder.policy({ rolloutCorrection }),
    () => ({ ...correction(), reject: [rejection(), { by: "k3", max: 1 }] }),
  ),
  "ObjectiveBuilder.policy, reject": step(
    (builder, reject) => builder.policy({ rolloutCorrection: { reject } }),
    rejection,
  ),
  "ObjectiveBuilder.sft": step(
    (builder, f) => builder.sft(f),
    () => ({ coef: 1e-3, correctThreshold: 0.5 }),
  ),
  "ObjectiveBuilder.clip": step(
    (builder, f) => builder.clip(f),
    () => ({ low: 0.1, high: 0.1, dual: 3 }),
  ),
  "ObjectiveBuilder.refKl": step(
    (builder, f) => builder.refKl(f),
    () => ({ coef: 1, estimator: "k3" }),
  ),
  "ObjectiveBuilder.perceptionKl": step(
    (builder, f) => builder.perceptionKl(f),
    () => ({
      coef: 1,
      estimator: "k3",
      exactLimit: null,
      min: 0,
      max: 0.2,
      weighting: "accuracy-weighted",
      correctThreshold: 0.1,
      incorrectWeight: 0.1,
      tokenMask: tokenMask(),
    }),
  ),
  "ObjectiveBuilder.perceptionKl, tokenMask": step(
    (builder, mask) => builder.perceptionKl({ tokenMask: mask }),
    tokenMask,
  ),
  "ObjectiveBuilder.entropy": step(
    (builder, f) => builder.entropy(f),
    () => ({
      coef: 1,
      maskedCoef: 1,
      estimator: "exact",
      bounds: { low: 0.1, high: null, level: "batch" },
      annealing: "own",
    }),
  ),
  "ObjectiveBuilder.entropy, bounds": step(
    (builder, bounds) => builder.entropy({ estimator: "exact", bounds }),
    () => ({ low: 0.1, high: 2, level: "token" }),
  ),
  "ObjectiveBuilder.maskedBranch": step(
    (builder, { branch }: { branch: never }) => builder.maskedBranch(branch),
    () => ({ branch: "constant" }),
  ),
  "ObjectiveBuilder.reduce": step(
    (builder, f: { reduction: never; options: never }) => builder.reduce(f.reduction, f.options),
    () => ({
      reduction: "sum",
      options: { entropy: "same", emptySequences: "skip", epsilon: 0 },
    }),
  ),
  "ObjectiveBuilder.reduce, options": step(
    (builder, options) => builder.reduce("seq-mean-token-mean", options),
    () => ({ entropy: "same", emptySequences: "skip", epsilon: 0 }),
  ),
  "ObjectiveBuilder.temperature": step(
    (builder, { temperature }: { temperature: never }) => builder.temperature(temperature),
    () => ({ temperature: 1 }),
  ),
  "ObjectiveBuilder.limits": step(
    (builder, f) => builder.limits(f),
    () => ({ logRatio: 20, kl: 10, exactKl: 10 }),
  ),
};

export const FAMILY_CALLS: Calls = {
  ...ROLLOUT_CALLS,
  ...SELECTION_CALLS,
  ...CONTROLLER_CALLS,
  ...BUILDER_CALLS,
};
