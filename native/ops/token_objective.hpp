// token_objective: per-token statistics -> terms of the loss and cotangents of the statistics. [rows] only.
#pragma once

#include "math/token_objective.hpp"
#include "ops/op_call.hpp"
#include "ops/row_checks.hpp"

namespace papo::token_objective_op {

enum Input {
  kStatistics,
  kOldLogProbs,
  kRefLogProbs,
  kAdvantages,
  kResponseMask,
  kWeights,
  kEntropyWeights,
  kPerceptionWeights
};
enum Output { kTerms, kCotangents };
enum Attribute {
  kClipLow,
  kClipHigh,
  kClipDual,
  kRefKlCoef,
  kRefKlEstimator,
  kPerceptionKlCoef,
  kPerceptionKlEstimator,
  kEntropyCoef,
  kMaskedEntropyCoef,
  kEntropyEstimator,
  kMaskedBranch,
  kLogRatioLimit,
  kKlLimit,
  kExactKlLimit,
  kPerceptionKlMin,
  kPerceptionKlMax,
  kEntropyLow,
  kEntropyHigh,
  kHasMasked
};

inline constexpr double kInfinity = static_cast<double>(INFINITY);
inline constexpr TensorSpec kInputs[] = {
    {"statistics", Layout::lines, bit(DType::float64), true, kStatisticLines},
    {"old_log_probs", Layout::row, bit(DType::float64), false},
    {"ref_log_probs", Layout::row, bit(DType::float64), false},
    {"advantages", Layout::row, bit(DType::float64), false},
    {"response_mask", Layout::row, bit(DType::int32), false},
    {"weights", Layout::row, bit(DType::float64), true},
    {"entropy_weights", Layout::row, bit(DType::float64), true},
    {"perception_weights", Layout::row, bit(DType::float64), false},
};
inline constexpr TensorSpec kOutputs[] = {
    {"terms", Layout::lines, bit(DType::float64), true, kTermLines},
    {"cotangents", Layout::lines, bit(DType::float64), false, kCotangentLines},
};
/// In the order of `KlEstimator`.
inline constexpr const char* kEstimators[] = {"k1",       "k2",  "k3",    "k3+",          "abs",
                                              "unbiased", "jsd", "exact", "exact-reverse"};
inline constexpr const char* kEntropyEstimators[] = {"sampled", "exact"};
inline constexpr const char* kBranches[] = {"constant", "differentiable"};

/// What `papo_loss` has too; in the order of `Attribute`.
inline constexpr AttributeSpec kObjectiveAttributes[] = {
    {"clip_low", 0.2, 0, 1},
    {"clip_high", 0.2, 0, 1e6},
    {"clip_dual", 0, 0, 1e9},
    {"ref_kl_coef", 0, -1e9, 1e9},
    {"ref_kl_estimator", 2, 0, 0, false, kEstimators},
    {"perception_kl_coef", 0, -1e9, 1e9},
    {"perception_kl_estimator", 2, 0, 0, false, kEstimators},
    {"entropy_coef", 0, -1e9, 1e9},
    {"masked_entropy_coef", 0, -1e9, 1e9},
    {"entropy_estimator", 0, 0, 0, false, kEntropyEstimators},
    {"masked_branch", 0, 0, 0, false, kBranches},
    {"log_ratio_limit", 20, 0, 700, true},
    {"kl_limit", 10, 0, kInfinity, true},
    {"exact_kl_limit", kInfinity, 0, kInfinity, true},
    {"perception_kl_min", -kInfinity, -kInfinity, 1e9},
    {"perception_kl_max", kInfinity, -1e9, kInfinity},
    {"entropy_low", -kInfinity, -kInfinity, 1e9},
    {"entropy_high", kInfinity, -1e9, kInfinity},
};
inline constexpr AttributeSpec kOwnAttributes[] = {{"has_masked", 0, 0, 1}};
inline constexpr auto kAttributes = joined(kObjectiveAttributes, kOwnAttributes);
inline constexpr OpSpec kSpec = {"token_objective", kInputs, kOutputs, kAttributes.items};

/// The [rows] data of an objective; each may be null but the first two weights. The perception term has the others'
/// weights where it has none of its own.
struct ObjectiveRows {
  const double* old_log_probs;
  const double* ref_log_probs;
  const double* advantages;
  const double* weights;
  const double* entropy_weights;
  const double* perception_weights = nullptr;

  TokenInputs at(std::size_t row, bool has_masked) const {
    TokenInputs token;
    token.has_old = old_log_probs != nullptr;
    token.has_ref = ref_log_probs != nullptr;
    token.has_masked = has_masked;
    token.old_log_prob = token.has_old ? old_log_probs[row] : 0;
    token.ref_log_prob = token.has_ref ? ref_log_probs[row] : 0;
    token.advantage = advantages != nullptr ? advantages[row] : 0;
    token.weight = weights[row];
    token.perception_weight =
        perception_weights != nullptr ? perception_weights[row] : token.weight;
    token.entropy_weight = entropy_weights[row];
    return token;
  }
};

struct Params {
  std::size_t rows;
  const double* statistics;  // [8, rows]
  ObjectiveRows data;
  const std::int32_t* mask;  // [rows] or null
  double* terms;             // [12, rows]
  double* cotangents;        // [6, rows] or null
  ObjectiveParams objective;
  bool has_masked;
};

ObjectiveParams bind_objective(const double* attributes);
Params bind(const OpCall& call);

/// Clips and bounds in order, estimators that exist for their term, and finite [rows] data.
Status check_objective(const std::string& where, const ObjectiveParams& objective,
                       const ObjectiveRows& data, const std::int32_t* mask, std::size_t rows);
Status check(const OpCall& call);

}  // namespace papo::token_objective_op
