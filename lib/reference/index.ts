/**
 * `papo/reference`: the same mathematics in float64 and plain JavaScript, for tests and for reading.
 *
 * Written for clarity and exactness, not for speed, and independently of the native kernels.
 *
 * @module papo/reference
 */
export {
  KL_ESTIMATORS,
  type KlEstimator,
  SAMPLED_KL_ESTIMATORS,
  type SampledKlEstimator,
} from "./divergence.js";
export { type FiniteDifferenceOptions, finiteDifference } from "./finite-difference.js";
export type { ObjectiveNumbers, TokenObjectiveNumbers } from "./objective-numbers.js";
export {
  type LossMetrics,
  type ObjectiveOfStatistics,
  type ObjectiveOfStatisticsOptions,
  objectiveOfStatistics,
  type PapoLoss,
  type PapoLossOptions,
  papoLoss,
  type ReducedTerms,
  type TokenData,
} from "./papo-loss.js";
export {
  type Denominators,
  type Layout,
  REDUCTIONS,
  type Reduction,
  type RowWeightsOptions,
  rowWeights,
} from "./reduction.js";
export {
  TERMS,
  type TermName,
  type TokenCotangents,
  type TokenObjectiveOptions,
  type TokenTerms,
  tokenObjective,
} from "./token-objective.js";
export {
  type LogitsInput,
  STATISTICS,
  type StatisticName,
  type TokenStats,
  type TokenStatsOptions,
  tokenStats,
} from "./token-stats.js";
export { type TokenStatsFinishOptions, tokenStatsFinish } from "./token-stats-finish.js";
export {
  COTANGENTS,
  type CotangentName,
  type Cotangents,
  type LogitsGradients,
  type TokenStatsGradOptions,
  tokenStatsGrad,
} from "./token-stats-grad.js";
export { type TokenStatsMergeOptions, tokenStatsMerge } from "./token-stats-merge.js";
export {
  STATES,
  type StateName,
  type TokenStates,
  type TokenStatsPartialOptions,
  tokenStatsPartial,
} from "./token-stats-partial.js";
