/**
 * The loss, its tensors and gradients, objectives, advantages, files, and what other libraries call all of this.
 *
 * @module papo
 */

// Errors, and what is loaded.

export type { AddonProblem, LoadAttempt } from "./addon/attempt.js";
export { type Info, info, version } from "./addon/info.js";
export { PapoError, type PapoErrorCode } from "./core/errors.js";

// Tensors, on the host and on devices.

export type { CudaDevice, Device } from "./core/device.js";
export type { ArrayOf, DType, LogitsDType, TensorArray } from "./core/dtype.js";
export type { Shape } from "./core/shape.js";
export * as cuda from "./cuda/index.js";
export { scalar, type TensorOptions, tensor, zeros } from "./tensor/create.js";
export {
  type DevicePointer,
  fromDevicePointer,
  type PinnedOptions,
  pinned,
} from "./tensor/device-memory.js";
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./tensor/half.js";
export {
  type CopyOptions,
  type Logits,
  type Rows,
  type Scalar,
  type ShapeOfRank,
  type SliceRank,
  Tensor,
} from "./tensor/tensor.js";

// Gradients of your own functions, and differentiable arithmetic on one number per token.

export {
  type AsyncOptions,
  type BackwardOptions,
  backward,
  backwardAsync,
  type Differentiable,
  type GradOptions,
  grad,
  gradAsync,
  noGrad,
  valueAndGrad,
  valueAndGradAsync,
} from "./autograd/grad.js";
export {
  add,
  type Binary,
  type Condition,
  clamp,
  detach,
  div,
  exp,
  log,
  max,
  min,
  mul,
  neg,
  type Operand,
  sub,
  type Unary,
  where,
} from "./ops/pointwise.js";

// Verbs over logits and tokens.

export type { MaskInput, NumbersInput, TokenIdsInput } from "./functional/inputs.js";
export { type TokenKlOptions, tokenKl } from "./functional/kl.js";
export {
  type SelectiveLogSoftmaxOptions,
  selectiveLogSoftmax,
  selectiveLogSoftmaxAsync,
  type TokenEntropyOptions,
  tokenEntropy,
  tokenEntropyAsync,
} from "./functional/log-probs.js";
export { papoLoss, papoLossAsync } from "./functional/papo-loss.js";
export type { PapoLossOptions } from "./functional/papo-loss-options.js";
export { type ReduceTokensOptions, reduceTokens } from "./functional/reduce.js";
export {
  type Denominators,
  EMPTY_SEQUENCES,
  type EmptySequences,
  REDUCTIONS,
  type Reduction,
} from "./functional/row-weights.js";
export { type ClippedSurrogateOptions, clippedSurrogate } from "./functional/surrogate.js";
export {
  type FinishTokenStatsOptions,
  finishTokenStats,
  mergeTokenStats,
  type TokenStates,
  type TokenStatsPartialOptions,
  tokenStatsPartial,
  tokenStatsPartialAsync,
} from "./functional/token-states.js";
export {
  type PairStatistics,
  type TokenStatistics,
  type TokenStatsOptions,
  tokenStats,
  tokenStatsAsync,
} from "./functional/token-stats.js";
export {
  type LogitsGradients,
  type StatisticsGradients,
  type TokenStatsGradOptions,
  tokenStatsGrad,
  tokenStatsGradAsync,
} from "./functional/token-stats-grad.js";
export type { KlEstimator, SampledKlEstimator } from "./ops/token-objective.js";

// Objectives: by name, step by step, and as data.

export type { Batch, LogitsBatch, LogProbsBatch, RowBlocksBatch } from "./objective/batch.js";
export type { BoundEvaluation } from "./objective/bound.js";
export {
  type ClipOptions,
  type EntropyOptions,
  type LimitOptions,
  type ObjectiveBuilder,
  objective,
  type PerceptionKlOptions,
  type PolicyOptions,
  type ReduceOptions,
  type RefKlOptions,
  type SftOptions,
} from "./objective/builder.js";
export type { Coefficients, CoefficientsInput } from "./objective/coefficients.js";
export type {
  Evaluation,
  EvaluationGradients,
  TermValues,
  TokenTensor,
  TokenValues,
} from "./objective/evaluation.js";
export type { FamilyMetrics } from "./objective/family-metrics.js";
export type { Metrics } from "./objective/metrics.js";
export { Objective } from "./objective/objective.js";
export type {
  BindOptions,
  BoundRunAsyncOptions,
  BoundRunOptions,
  EvaluateAsyncOptions,
  EvaluateOptions,
  PlanChoice,
  RowBlockOptions,
} from "./objective/options.js";
export {
  PRESET_FORMS,
  PRESET_IDS,
  type PresetForm,
  type PresetId,
  type PresetValue,
  preset,
  presetSummary,
  presetValues,
} from "./objective/presets.js";
export type { RowBlock } from "./objective/row-block.js";
export type { BlockGradients, RowBlockEvaluation } from "./objective/row-blocks.js";
export { type Coefficient, coefficientAt, type Schedule } from "./objective/schedule.js";
export {
  ENTROPY_ESTIMATORS,
  type EntropyEstimator,
  type EntropyReduction,
  type MaskedBranch,
  type ObjectiveSpec,
  type ObjectiveSpecInput,
  PERCEPTION_KL_ESTIMATORS,
  parseSpec,
  REF_KL_ESTIMATORS,
  type RefKlEstimator,
  SPEC_DEFAULTS,
  SPEC_KEYS,
  type SpecKey,
  validateSpec,
} from "./objective/spec.js";
export type {
  AdvantageShaping,
  EntropyAnnealing,
  EntropyBounds,
  OffPolicyMask,
  PerceptionWeighting,
  PolicyTokenMask,
  TokenMask,
  TokenMaskDenominator,
} from "./objective/spec-parts.js";
export type { SurrogateInput } from "./objective/surrogate-spec.js";
export { warnings } from "./objective/warnings.js";
export {
  describeSurrogates,
  type ParameterDescription,
  type SurrogateDescription,
} from "./surrogates/describe.js";
export type { SurrogateKind, SurrogateSpec } from "./surrogates/table.js";

// Rollout mismatch: what the sampling engine and the trainer disagree about.

export type { RolloutCorrectionRule } from "./rollout/correction.js";
export type { RolloutDiagnostics } from "./rollout/diagnostics.js";
export {
  type OffPolicyMaskOptions,
  offPolicyMask,
  type RolloutLogProbsOptions,
  type RolloutRejectionOptions,
  type RolloutWeightsOptions,
  rolloutDiagnostics,
  rolloutRejection,
  rolloutWeights,
} from "./rollout/mismatch.js";
export type { RejectionRule } from "./rollout/rejection.js";
export type { RolloutWeightRule, RolloutWeights } from "./rollout/rollout-weights.js";
export type { RejectionInput, RolloutCorrectionInput } from "./rollout/rules.js";
export type { RolloutWeightMetrics } from "./rollout/weight-metrics.js";

// Tokens and advantages by a per-token quantity, and coefficients that follow a target.

export {
  AdaptiveEntropy,
  type AdaptiveEntropyOptions,
  type AdaptiveEntropyState,
  AdaptiveKl,
  type AdaptiveKlOptions,
  type AdaptiveKlState,
} from "./selection/controllers.js";
export {
  type DivergenceOptions,
  divergenceRange,
  type PerceptionRewardOptions,
  perceptionReward,
  type QuantileOptions,
  quantileThreshold,
  type TopTokenMaskOptions,
  topTokenMask,
  type VppoAdvantagesOptions,
  vppoAdvantages,
} from "./selection/selection.js";
export type { DivergenceRange } from "./selection/vppo.js";

// Advantages from rewards.

export type {
  AdvantageDefinition,
  AdvantageNeed,
  FlagParameter,
  NumberParameter,
  Parameter,
  WordParameter,
} from "./advantages/definition.js";
export {
  type AdvantageEstimate,
  type AdvantageInputs,
  type AdvantageOptions,
  estimateAdvantages,
} from "./advantages/estimate.js";
export {
  FILTER_FALLBACKS,
  FILTER_RULES,
  type FilterFallback,
  type FilterRule,
  filterGroups,
  type GroupFilter,
  type GroupFilterOptions,
} from "./advantages/filter.js";
export type { GroupOptions, GroupsInput } from "./advantages/groups.js";
export { SMALL_GROUPS, type SmallGroups } from "./advantages/groupwise.js";
export { maxAtK, passAtK } from "./advantages/max-at-k.js";
export { type GroupMetrics, type GroupMetricsOptions, groupMetrics } from "./advantages/metrics.js";
export { PKPO_BASELINES, type PkpoBaseline } from "./advantages/pkpo.js";
export { MISSING, type Missing, type RewardsInput } from "./advantages/reward-numbers.js";
export {
  ADVANTAGE_KINDS,
  ADVANTAGES,
  type AdvantageKind,
  type AdvantageParameters,
} from "./advantages/table.js";

// What all of it computes, as data.

export {
  ENTROPY_FORMULAS,
  type EntropyFormula,
  type EntropyName,
} from "./formulas/entropy.js";
export type { Formula } from "./formulas/formula.js";
export { KL_FORMULAS, type KlFormula } from "./formulas/kl.js";
export { PART_FORMULAS, type PartFormula, type PartScope } from "./formulas/parts.js";
export { REDUCTION_FORMULAS, type ReductionFormula } from "./formulas/reductions.js";

// Files.

export { SafetensorsFile } from "./io/safetensors.js";
export type {
  SafetensorsArray,
  SafetensorsDType,
  SafetensorsInfo,
} from "./io/safetensors-format.js";
export type { SafetensorsEntry } from "./io/safetensors-header.js";
export { SafetensorsWriter } from "./io/safetensors-writer.js";

// What other libraries call all of this: their options in, a spec out.

export {
  fromLiger,
  fromPapoAuthors,
  fromTrl,
  fromVerl,
  PEER_TABLES,
  type PeerOptionRow,
  type PeerTable,
} from "./peers/index.js";
export type {
  Difference,
  ImportedAdvantages,
  ImportedGroupFilter,
  NeededField,
  NotExpressible,
  PeerImport,
  PeerName,
  Place,
} from "./peers/peer.js";
