// token_stats_grad: cotangents of the statistics -> gradients of both logits. The vocabulary is walked up once.
// The logits may be a shard of the vocabulary whose statistics are given: every column needs its own logits only.
#pragma once

#include "ops/op_call.hpp"
#include "ops/row_checks.hpp"
#include "ops/vocab_shard.hpp"

namespace papo::token_stats_grad {

enum Input { kLogits, kMaskedLogits, kTokenIds, kResponseMask, kStatistics, kCotangents };
enum Output { kGradLogits, kGradMaskedLogits };
enum Attribute { kTemperature, kGradScale, kAccumulate, kGradsZeroed, kVocabOffset, kVocabTotal };

inline constexpr TensorSpec kInputs[] = {
    {"logits", Layout::matrix, kLogitsDTypes, true},
    {"masked_logits", Layout::matrix, kLogitsDTypes, false},
    {"token_ids", Layout::row, bit(DType::int32), true},
    {"response_mask", Layout::row, bit(DType::int32), false},
    {"statistics", Layout::lines, bit(DType::float64), true, kStatisticLines},
    {"cotangents", Layout::lines, bit(DType::float64), true, kCotangentLines},
};
inline constexpr TensorSpec kOutputs[] = {
    {"grad_logits", Layout::matrix, kLogitsDTypes, false},
    {"grad_masked_logits", Layout::matrix, kLogitsDTypes, false},
};
inline constexpr AttributeSpec kAttributes[] = {
    {"temperature", 1, 1e-6, 1e6}, {"grad_scale", 1, -1e30, 1e30}, {"accumulate", 0, 0, 1},
    {"grads_zeroed", 0, 0, 1},     kVocabOffsetAttribute,          kVocabTotalAttribute,
};
inline constexpr OpSpec kSpec = {"token_stats_grad", kInputs, kOutputs, kAttributes};

struct Params {
  std::size_t rows;
  std::size_t vocab;
  TensorView logits;              // [rows, vocab]
  TensorView masked_logits;       // [rows, vocab] or absent
  TensorView grad_logits;         // [rows, vocab] or absent: dtype of the logits, or float32
  TensorView grad_masked_logits;  // [rows, vocab] or absent
  const std::int32_t* token_ids;  // [rows] over the whole vocabulary
  const std::int32_t* mask;       // [rows] or null
  const double* statistics;       // [8, rows] of the whole vocabulary
  const double* cotangents;       // [6, rows]
  double temperature;
  double grad_scale;
  bool accumulate;
  VocabShard shard;
  /// Rows with mask 0 hold zeros in both gradients already: they are not written.
  bool grads_zeroed = false;

  float inverse_temperature() const { return inverse_of(temperature, shard.total); }
};

inline Params bind(const OpCall& call) {
  return {call.rows,
          call.vocab,
          call.inputs[kLogits],
          call.inputs[kMaskedLogits],
          call.outputs[kGradLogits],
          call.outputs[kGradMaskedLogits],
          static_cast<const std::int32_t*>(call.inputs[kTokenIds].data),
          static_cast<const std::int32_t*>(call.inputs[kResponseMask].data),
          static_cast<const double*>(call.inputs[kStatistics].data),
          static_cast<const double*>(call.inputs[kCotangents].data),
          call.attributes[kTemperature],
          call.attributes[kGradScale],
          call.attributes[kAccumulate] != 0,
          bind_shard(call.attributes[kVocabOffset], call.attributes[kVocabTotal], call.vocab),
          call.attributes[kGradsZeroed] != 0};
}

/// What both gradient-writing ops demand of their gradients.
Status check_gradients(const std::string& where, const TensorView& logits,
                       const TensorView& masked_logits, const TensorView& grad_logits,
                       const TensorView& grad_masked_logits, bool grads_zeroed);

/// Cotangents finite, and 0 where their statistic is infinite (an infinite KL has no gradient).
Status check(const OpCall& call);

}  // namespace papo::token_stats_grad
