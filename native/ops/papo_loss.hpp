// papo_loss: statistics, objective and gradients of both logits in one pass; the fused form of the three other ops.
#pragma once

#include "ops/token_objective.hpp"

namespace papo::papo_loss {

enum Input {
  kLogits,
  kMaskedLogits,
  kMaskedLogProbs,
  kTokenIds,
  kResponseMask,
  kOldLogProbs,
  kRefLogProbs,
  kAdvantages,
  kWeights,
  kEntropyWeights,
  kPerceptionWeights
};
enum Output { kStatistics, kTerms, kGradLogits, kGradMaskedLogits };
/// The objective's attributes come first, in the order of `token_objective`.
enum Attribute { kTemperature = token_objective_op::kHasMasked, kGradScale, kGradsZeroed };

inline constexpr TensorSpec kInputs[] = {
    {"logits", Layout::matrix, kLogitsDTypes, true},
    {"masked_logits", Layout::matrix, kLogitsDTypes, false},
    {"masked_log_probs", Layout::row, bit(DType::float64), false},
    {"token_ids", Layout::row, bit(DType::int32), true},
    {"response_mask", Layout::row, bit(DType::int32), false},
    {"old_log_probs", Layout::row, bit(DType::float64), false},
    {"ref_log_probs", Layout::row, bit(DType::float64), false},
    {"advantages", Layout::row, bit(DType::float64), false},
    {"weights", Layout::row, bit(DType::float64), true},
    {"entropy_weights", Layout::row, bit(DType::float64), true},
    {"perception_weights", Layout::row, bit(DType::float64), false},
};
inline constexpr TensorSpec kOutputs[] = {
    {"statistics", Layout::lines, bit(DType::float64), true, kStatisticLines},
    {"terms", Layout::lines, bit(DType::float64), true, kTermLines},
    {"grad_logits", Layout::matrix, kLogitsDTypes, false},
    {"grad_masked_logits", Layout::matrix, kLogitsDTypes, false},
};
inline constexpr AttributeSpec kOwnAttributes[] = {
    {"temperature", 1, 1e-6, 1e6},
    {"grad_scale", 1, -1e30, 1e30},
    {"grads_zeroed", 0, 0, 1},
};
inline constexpr auto kAttributes =
    joined(token_objective_op::kObjectiveAttributes, kOwnAttributes);
inline constexpr OpSpec kSpec = {"papo_loss", kInputs, kOutputs, kAttributes.items};

struct Params {
  std::size_t rows;
  std::size_t vocab;
  TensorView logits;               // [rows, vocab]
  TensorView masked_logits;        // [rows, vocab] or absent
  TensorView grad_logits;          // [rows, vocab] or absent: dtype of the logits, or float32
  TensorView grad_masked_logits;   // [rows, vocab] or absent
  const double* masked_log_probs;  // [rows] constants instead of masked_logits, or null
  const std::int32_t* token_ids;   // [rows]
  const std::int32_t* mask;        // [rows] or null
  token_objective_op::ObjectiveRows data;
  double* statistics;  // [8, rows]
  double* terms;       // [12, rows]
  ObjectiveParams objective;
  double temperature;
  double grad_scale;
  /// Rows with mask 0 hold zeros in both gradients already: they are not written.
  bool grads_zeroed;
};

Params bind(const OpCall& call);
Status check(const OpCall& call);

}  // namespace papo::papo_loss
