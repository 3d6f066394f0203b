// token_stats: one or two sets of logits -> per-token statistics. The vocabulary is walked down once.
#pragma once

#include "ops/op_call.hpp"
#include "ops/row_checks.hpp"

namespace papo::token_stats {

enum Input { kLogits, kMaskedLogits, kTokenIds, kResponseMask };
enum Output { kStatistics, kInvalid };
enum Attribute { kTemperature, kOnInvalid };

inline constexpr TensorSpec kInputs[] = {
    {"logits", Layout::matrix, kLogitsDTypes, true},
    {"masked_logits", Layout::matrix, kLogitsDTypes, false},
    {"token_ids", Layout::row, bit(DType::int32), true},
    {"response_mask", Layout::row, bit(DType::int32), false},
};
inline constexpr TensorSpec kOutputs[] = {
    {"statistics", Layout::lines, bit(DType::float64), true, kStatisticLines},
    {"invalid", Layout::row, bit(DType::int32), false},
};
inline constexpr AttributeSpec kAttributes[] = {
    {"temperature", 1, 1e-6, 1e6},
    {"on_invalid", 0, 0, 0, false, kOnInvalidChoices},
};
inline constexpr OpSpec kSpec = {"token_stats", kInputs, kOutputs, kAttributes};

struct Params {
  std::size_t rows;
  std::size_t vocab;
  TensorView logits;              // [rows, vocab]
  TensorView masked_logits;       // [rows, vocab] or absent
  const std::int32_t* token_ids;  // [rows]
  const std::int32_t* mask;       // [rows] or null
  double* statistics;             // [8, rows]
  std::int32_t* invalid;          // [rows] or null
  double temperature;
  bool skip_invalid;
};

inline Params bind(const OpCall& call) {
  return {call.rows,
          call.vocab,
          call.inputs[kLogits],
          call.inputs[kMaskedLogits],
          static_cast<const std::int32_t*>(call.inputs[kTokenIds].data),
          static_cast<const std::int32_t*>(call.inputs[kResponseMask].data),
          static_cast<double*>(call.outputs[kStatistics].data),
          static_cast<std::int32_t*>(call.outputs[kInvalid].data),
          call.attributes[kTemperature],
          call.attributes[kOnInvalid] != 0};
}

/// The two sets of logits must be of one dtype; ids of counted rows must lie in the vocabulary.
Status check(const OpCall& call);

}  // namespace papo::token_stats
