/** A valid call of every public verb that takes an object, for tests that spoil one of its fields. */
import { PAPO_LOSS_OPTIONS } from "../../lib/functional/papo-loss-options.js";
import * as papo from "../../lib/index.js";
import * as reference from "../../lib/reference/index.js";
import { ADVANTAGE_CALLS } from "./advantage-calls.js";
import { FAMILY_CALLS } from "./family-calls.js";
import { POSITIONAL_CALLS } from "./positional-calls.js";
import { REWARD_CALLS } from "./reward-calls.js";

export type Fields = Record<string, unknown>;
export type Verb = (...args: unknown[]) => unknown;

const { tensor } = papo;
const ROWS = 3;
export const VOCAB = 4;

/** [rows, vocab] with a gradient. */
export function logits(): papo.Logits {
  const data = Float32Array.from({ length: ROWS * VOCAB }, (_, i) => Math.sin(i));
  return tensor(data, { shape: [ROWS, VOCAB], requiresGrad: true });
}

/** [rows, vocab] of one value, for gradients. */
export function memory(value: number): papo.Tensor {
  return tensor(new Float32Array(ROWS * VOCAB).fill(value), { shape: [ROWS, VOCAB] });
}

const numbers = (): number[] => [-1, -0.5, -2];
const logitsFields = (): Fields => ({
  logits: logits(),
  maskedLogits: logits(),
  tokenIds: [0, 3, 1],
  responseMask: [1, 1, 0],
});
const rowFields = (): Fields => ({
  oldLogProbs: numbers(),
  refLogProbs: numbers(),
  advantages: [1, -1, 0.5],
});
const denominators = (): Fields => ({
  tokens: 9,
  sequences: 4,
  maxLength: 3,
  sequenceTokens: [2, 2],
  worldSize: 2,
  policyTokens: 2,
  perceptionTokens: 2,
  correctTokens: 2,
});
export const batch = (): Fields => ({ ...logitsFields(), ...rowFields(), cuSeqlens: [0, 2, 3] });
/** What only an objective reads of a batch. */
const objectiveFields = (): Fields => ({ rolloutLogProbs: numbers(), accuracies: [1, 0] });
const logProbsBatch = (): Fields => ({
  ...rowFields(),
  ...objectiveFields(),
  refKl: [0, 1, 2],
  refReverseKl: [0, 1, 2],
  logProbs: numbers(),
  maskedLogProbs: numbers(),
  entropy: [1, 1, 1],
  maskedEntropy: [1, 1, 1],
  kl: [0, 1, 2],
  reverseKl: [0, 1, 2],
  responseMask: [1, 1, 0],
  cuSeqlens: [0, 2, 3],
});
export const evaluateOptions = (): Fields => ({
  gradients: true,
  gradDType: "float32",
  gradScale: 2,
  denominators: denominators(),
  step: 1,
  perToken: true,
  onInvalid: "error",
  plan: "auto",
  seed: 1,
  coefficients: { refKl: 0, perceptionKl: 0.01, entropy: 0, maskedEntropy: 0, sft: 0 },
});
const bindOptions = (): Fields => ({
  gradients: true,
  gradScale: 2,
  denominators: denominators(),
  perToken: true,
  gradLogits: memory(0),
  gradMaskedLogits: memory(0),
  gradsZeroed: true,
});
const runOptions = (): Fields => ({ step: 1, gradScale: 2, denominators: denominators() });
const shardFields = (): Fields => ({
  ...logitsFields(),
  temperature: 1,
  vocabOffset: 2,
  vocabTotal: 9,
});
const states = (): papo.TokenStates => papo.tokenStatsPartial(shardFields() as never);
const gradFields = (): Fields => ({
  ...shardFields(),
  states: states(),
  gradients: { gradKl: numbers() },
  maskedBranch: "differentiable",
  onInvalid: "error",
  gradDType: "float32",
  gradLogits: memory(0),
  gradMaskedLogits: memory(0),
  gradsZeroed: true,
});
const spec = (): Fields => ({ ...papo.SPEC_DEFAULTS, entropyCoef: 0.01, klLimit: 10 });
const papoLossOptions = (): Fields => {
  // The fused loss has options of the same names for what it knows of a spec.
  const known = Object.entries(spec()).filter(([key]) =>
    (PAPO_LOSS_OPTIONS as readonly string[]).includes(key),
  );
  return { ...batch(), ...Object.fromEntries(known), denominators: denominators() };
};
const referenceFields = (): Fields => ({
  ...logitsFields(),
  logits: Array.from({ length: ROWS * VOCAB }, (_, i) => Math.sin(i)),
  maskedLogits: Float64Array.from({ length: ROWS * VOCAB }, (_, i) => Math.cos(i)),
  rows: ROWS,
  vocabSize: VOCAB,
  rowPitch: VOCAB,
  temperature: 1,
});
const referenceStates = (): reference.TokenStates =>
  reference.tokenStatsPartial(referenceFields() as never);
const statistics = (): Fields => ({ logProbs: numbers(), maskedLogProbs: numbers() });
const init = (): Fields => ({
  shape: [3, 4],
  dtype: "float32",
  rowPitch: 4,
  device: "cpu",
  requiresGrad: true,
});
const onDevice = (): Fields => ({ ...init(), device: "cuda:0" });
const device = (): Fields => ({ device: "cuda" });

export const CONSTANT: papo.Objective = papo.objective("papo-g-7b").build();
export const DIFFERENTIABLE: papo.Objective = papo
  .objective("papo-g-7b", { form: "corrected" })
  .build();
const blocks = (): Fields => ({
  ...rowFields(),
  ...objectiveFields(),
  tokenIds: [0, 3, 1],
  responseMask: [1, 1, 0],
  vocabSize: VOCAB,
  shape: [ROWS],
  cuSeqlens: [0, 2, 3],
});
const begun = () => DIFFERENTIABLE.begin(blocks() as never);
const block = (): Fields => ({
  rowStart: 0,
  logits: logits(),
  maskedLogits: logits(),
  refLogits: undefined,
  gradLogits: memory(0),
  gradMaskedLogits: memory(0),
  inPlace: false,
});
const loss = (): papo.Scalar => papo.reduceTokens(papo.tokenStats(logitsFields() as never).kl);
const addUp = (verb: unknown) => (options: unknown) =>
  (verb as Verb)((x: papo.Rows) => papo.reduceTokens(x), options);

/** The same for calls that need a CUDA device, and are valid where there is one. */
export const DEVICE_CALLS: typeof CALLS = {
  "tensor on a device": [(f) => papo.tensor(new Float32Array(12), f as never), onDevice],
  "zeros on a device": [
    ({ shape, ...f }) => papo.zeros([3, 4], f as never),
    () => ({ ...onDevice(), shape: undefined }),
  ],
  pinned: [
    ({ shape, ...f }) => papo.pinned(shape as number[], f as never),
    () => ({ shape: [3, 4], dtype: "float32", rowPitch: 5, requiresGrad: true }),
  ],
  "Tensor.to a device": [
    ({ device, ...f }) => logits().to(device as "cuda", f),
    () => ({ device: "cuda", out: undefined, stream: undefined }),
  ],
  "new cuda.Stream": [({ device }) => new papo.cuda.Stream(device as "cuda"), device],
  "new cuda.Event": [({ device }) => new papo.cuda.Event(device as "cuda"), device],
  "cuda.memory": [({ device }) => papo.cuda.memory(device as "cuda"), device],
  "cuda.synchronize": [({ device }) => papo.cuda.synchronize(device as "cuda"), device],
  "cuda.synchronizeAsync": [({ device }) => papo.cuda.synchronizeAsync(device as "cuda"), device],
  "cuda.wrapStream": [
    (f) => papo.cuda.wrapStream(f as never),
    () => ({ pointer: 0n, device: "cuda", owner: {} }),
  ],
};

/** By name: a call of one object, and fresh fields of a valid one. */
export const CALLS: Readonly<Record<string, readonly [(fields: Fields) => unknown, () => Fields]>> =
  {
    tensor: [(f) => papo.tensor(new Float32Array(12), f as never), init],
    "tensor of numbers": [(f) => papo.tensor(new Array(12).fill(1) as number[], f as never), init],
    zeros: [({ shape, ...f }) => papo.zeros(shape as number[], f as never), init],
    "new Tensor": [(f) => new papo.Tensor("here", new Float32Array(12), f as never), init],
    "Tensor.alias": [(f) => logits().alias(f), () => ({ requiresGrad: true })],
    "Tensor.sliceRows": [
      ({ start, end }) => logits().sliceRows(start as number, end as number),
      () => ({ start: 1, end: 3 }),
    ],
    "Tensor.to": [
      ({ device, ...f }) => logits().to(device as "cpu", f),
      () => ({ device: "cpu", out: memory(0), stream: undefined }),
    ],
    "Tensor.toAsync": [
      ({ device, ...f }) => logits().toAsync(device as "cpu", f),
      () => ({ device: "cpu", out: memory(0), stream: undefined }),
    ],
    "cuda.currentStream": [({ device }) => papo.cuda.currentStream(device as "cuda"), device],
    backward: [(f) => papo.backward(loss(), f), () => ({ gradLoss: 2 })],
    backwardAsync: [
      (f) => papo.backwardAsync(loss(), f),
      () => ({ gradLoss: 2, signal: undefined }),
    ],
    grad: [addUp(papo.grad), () => ({ out: [tensor(new Float64Array(ROWS))], gradsZeroed: true })],
    gradAsync: [addUp(papo.gradAsync), () => ({ out: [], signal: undefined })],
    coefficientAt: [
      (f) => papo.coefficientAt(f as never, 3),
      () => ({ kind: "linear", from: 1, to: 0, steps: 9 }),
    ],

    tokenStats: [
      (f) => papo.tokenStats(f as never),
      () => ({ ...logitsFields(), temperature: 1, onInvalid: "skip", gradDType: "float32" }),
    ],
    tokenStatsAsync: [
      (f) => papo.tokenStatsAsync(f as never),
      () => ({ ...logitsFields(), temperature: 1, onInvalid: "skip", signal: undefined }),
    ],
    selectiveLogSoftmax: [
      (f) => papo.selectiveLogSoftmax(f as never),
      () => ({ logits: logits(), tokenIds: [0, 3, 1], responseMask: [1, 1, 0], temperature: 1 }),
    ],
    selectiveLogSoftmaxAsync: [
      (f) => papo.selectiveLogSoftmaxAsync(f as never),
      () => ({ logits: logits(), tokenIds: [0, 3, 1], signal: undefined }),
    ],
    tokenEntropy: [
      (f) => papo.tokenEntropy(f as never),
      () => ({ logits: logits(), responseMask: [1, 1, 0], temperature: 1 }),
    ],
    tokenEntropyAsync: [
      (f) => papo.tokenEntropyAsync(f as never),
      () => ({ logits: logits(), responseMask: [1, 1, 0], signal: undefined }),
    ],
    tokenStatsPartial: [(f) => papo.tokenStatsPartial(f as never), shardFields],
    tokenStatsPartialAsync: [
      (f) => papo.tokenStatsPartialAsync(f as never),
      () => ({ ...shardFields(), signal: undefined }),
    ],
    mergeTokenStats: [
      ({ first, second }) => papo.mergeTokenStats([first, second] as never),
      () => ({ first: states(), second: states() }),
    ],
    "finishTokenStats with logits": [
      (f) => papo.finishTokenStats(f as never),
      () => ({
        ...shardFields(),
        states: states(),
        hasMasked: true,
        onInvalid: "skip",
        gradDType: "float32",
      }),
    ],
    "finishTokenStats of states": [
      (f) => papo.finishTokenStats(f as never),
      () => ({ states: states(), hasMasked: true, responseMask: [1, 1, 0], temperature: 1 }),
    ],
    tokenStatsGrad: [(f) => papo.tokenStatsGrad(f as never), gradFields],
    "tokenStatsGrad, gradients": [
      (gradients) => papo.tokenStatsGrad({ ...gradFields(), gradients } as never),
      () => ({ gradKl: numbers(), gradLogProbs: numbers(), gradEntropy: numbers() }),
    ],
    tokenStatsGradAsync: [
      (f) => papo.tokenStatsGradAsync(f as never),
      () => ({ ...gradFields(), signal: undefined }),
    ],
    papoLoss: [(f) => papo.papoLoss(f as never), papoLossOptions],
    papoLossAsync: [
      (f) => papo.papoLossAsync(f as never),
      () => ({ ...papoLossOptions(), signal: undefined }),
    ],
    tokenKl: [
      (f) => papo.tokenKl(f as never),
      () => ({
        logProbs: numbers(),
        otherLogProbs: numbers(),
        oldLogProbs: numbers(),
        responseMask: [1, 1, 0],
        estimator: "k3",
        logRatioLimit: 20,
        klLimit: 10,
      }),
    ],
    clippedSurrogate: [
      (f) => papo.clippedSurrogate(f as never),
      () => ({
        logProbs: numbers(),
        oldLogProbs: numbers(),
        advantages: numbers(),
        responseMask: [1, 1, 0],
        clipLow: 0.2,
        clipHigh: 0.2,
        clipDual: 3,
        logRatioLimit: 20,
      }),
    ],
    reduceTokens: [
      (f) => papo.reduceTokens(tensor(Float64Array.from(numbers())), f as never),
      () => ({
        reduction: "token-mean",
        responseMask: [1, 1, 0],
        shape: [ROWS],
        cuSeqlens: [0, 2, 3],
        denominators: denominators(),
        denominatorEpsilon: 0,
      }),
    ],
    denominators: [
      (f) => DIFFERENTIABLE.evaluate(batch() as never, { denominators: f }),
      denominators,
    ],

    validateSpec: [papo.validateSpec, spec],
    warnings: [papo.warnings, spec],
    "new Objective": [(f) => new papo.Objective(f), spec],
    objective: [papo.objective, spec],
    preset: [(f) => papo.preset("grpo", f), () => ({ form: "corrected" })],
    presetValues: [(f) => papo.presetValues("grpo", f), () => ({ form: "corrected" })],
    fromTrl: [
      papo.fromTrl,
      () => ({ loss_type: "grpo", epsilon_high: 0.28, delta: 2, reward_weights: [1, 2] }),
    ],
    fromVerl: [
      papo.fromVerl,
      () => ({
        actor: { clip_ratio_high: 0.28, policy_loss: { loss_mode: "gspo" } },
        "algorithm.adv_estimator": "grpo",
        rollout_is_threshold: "0.5_2.0",
        rollout_rs: "seq_mean_k3",
      }),
    ],
    fromLiger: [papo.fromLiger, () => ({ loss_type: "sapo", beta: 0, num_items_in_batch: 8 })],
    fromPapoAuthors: [
      papo.fromPapoAuthors,
      () => ({ config: "config_grpo_papo.yaml", algorithm: { kl_prcp_coef: 0.02 } }),
    ],
    "Objective.evaluate, batch": [(f) => CONSTANT.evaluate(f as never), batch],
    "Objective.evaluate, log-probs": [(f) => CONSTANT.evaluate(f as never), logProbsBatch],
    "Objective.evaluate, options": [(f) => CONSTANT.evaluate(batch() as never, f), evaluateOptions],
    "Objective.evaluateAsync, batch": [(f) => DIFFERENTIABLE.evaluateAsync(f as never), batch],
    "Objective.evaluateAsync, options": [
      (f) => CONSTANT.evaluateAsync(batch() as never, f),
      () => ({ ...evaluateOptions(), signal: undefined }),
    ],
    "Objective.begin, batch": [(f) => CONSTANT.begin(f as never), blocks],
    "Objective.begin, options": [(f) => CONSTANT.begin(blocks() as never, f), evaluateOptions],
    "Objective.bind, batch": [(f) => CONSTANT.bind(f as never).run(), batch],
    "Objective.bind, options": [(f) => CONSTANT.bind(batch() as never, f).run(), bindOptions],
    "BoundEvaluation.run, options": [(f) => CONSTANT.bind(batch() as never).run(f), runOptions],
    "BoundEvaluation.runAsync, options": [
      (f) => CONSTANT.bind(batch() as never).runAsync(f),
      () => ({ ...runOptions(), signal: undefined }),
    ],
    "BoundEvaluation.evaluation, options": [
      (f) => {
        const step = CONSTANT.bind(batch() as never);
        step.run();
        return step.evaluation(f);
      },
      () => ({ perToken: true }),
    ],
    "RowBlockEvaluation.add": [(f) => begun().add(f as never), block],
    "RowBlockEvaluation.addAsync": [(f) => begun().addAsync(f as never), block],
    "RowBlockEvaluation.addAsync, options": [
      (f) => begun().addAsync({ rowStart: 0, logits: logits(), maskedLogits: logits() }, f),
      () => ({ signal: undefined }),
    ],

    ...ADVANTAGE_CALLS,
    ...FAMILY_CALLS,
    ...REWARD_CALLS,
    ...POSITIONAL_CALLS,

    "reference.tokenStats": [
      (f) => reference.tokenStats(f as never),
      () => ({ ...referenceFields(), onInvalid: "error" }),
    ],
    "reference.tokenStatsGrad": [
      (f) => reference.tokenStatsGrad(f as never),
      () => ({ ...referenceFields(), gradScale: 1, cotangents: { kl: numbers() } }),
    ],
    "reference.tokenStatsGrad, cotangents": [
      (cotangents) => reference.tokenStatsGrad({ ...referenceFields(), cotangents } as never),
      () => ({ kl: numbers(), logProbs: numbers(), entropy: numbers() }),
    ],
    "reference.tokenStatsPartial": [
      (f) => reference.tokenStatsPartial(f as never),
      () => ({ ...referenceFields(), vocabOffset: 1, vocabTotal: 9 }),
    ],
    "reference.tokenStatsMerge": [
      (f) => reference.tokenStatsMerge(f as never),
      () => ({ rows: ROWS, states: [referenceStates(), referenceStates()] }),
    ],
    "reference.tokenStatsMerge, states": [
      (f) => reference.tokenStatsMerge({ rows: ROWS, states: [f as never] }),
      () => ({ ...referenceStates() }),
    ],
    "reference.tokenStatsFinish": [
      (f) => reference.tokenStatsFinish(f as never),
      () => ({
        rows: ROWS,
        states: referenceStates(),
        hasMasked: true,
        responseMask: [1, 1, 0],
        temperature: 1,
        onInvalid: "skip",
      }),
    ],
    "reference.tokenObjective": [
      (f) => reference.tokenObjective(f as never),
      () => ({
        ...spec(),
        ...rowFields(),
        statistics: statistics(),
        responseMask: [1, 1, 0],
        weights: [1, 1, 1],
        entropyWeights: [1, 1, 1],
      }),
    ],
    "reference.papoLoss": [
      (f) => reference.papoLoss(f as never),
      () => ({
        ...spec(),
        ...rowFields(),
        ...referenceFields(),
        denominators: denominators(),
        cuSeqlens: [0, 2, 3],
        sequences: 1,
        onInvalid: "skip",
        gradScale: 1,
      }),
    ],
    "reference.objectiveOfStatistics": [
      (f) => reference.objectiveOfStatistics(f as never),
      () => ({ ...spec(), ...rowFields(), statistics: statistics(), sequences: 3 }),
    ],
    "reference.objectiveOfStatistics, statistics": [
      (f) => reference.objectiveOfStatistics({ ...rowFields(), statistics: f } as never),
      () => ({ ...statistics(), entropy: numbers(), kl: numbers() }),
    ],
    "reference.rowWeights": [
      (f) => reference.rowWeights(f as never),
      () => ({
        rows: ROWS,
        sequences: 1,
        responseMask: [1, 1, 0],
        reduction: "seq-mean-token-mean",
        denominators: { tokens: 3 },
        denominatorEpsilon: 0,
      }),
    ],
    "reference.rowWeights, denominators": [
      (f) =>
        reference.rowWeights({
          rows: ROWS,
          cuSeqlens: [0, 2, 3],
          reduction: "seq-mean-token-mean",
          denominators: f,
        }),
      denominators,
    ],
    "reference.finiteDifference": [
      (f) => reference.finiteDifference((x) => x[0] as number, [1, 2, 3], f),
      () => ({ step: 1e-3, elements: [0, 2] }),
    ],
  };
