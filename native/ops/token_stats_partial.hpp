// token_stats_partial: the columns of a vocabulary that one shard holds -> the state of each row over them.
// States of all shards, merged (token_stats_merge), end in the statistics of the row (token_stats_finish).
#pragma once

#include "ops/op_call.hpp"
#include "ops/row_checks.hpp"
#include "ops/vocab_shard.hpp"

namespace papo::token_stats_partial {

enum Input { kLogits, kMaskedLogits, kTokenIds, kResponseMask };
enum Output { kStates };
enum Attribute { kTemperature, kVocabOffset, kVocabTotal };

inline constexpr TensorSpec kInputs[] = {
    {"logits", Layout::matrix, kLogitsDTypes, true},
    {"masked_logits", Layout::matrix, kLogitsDTypes, false},
    {"token_ids", Layout::row, bit(DType::int32), true},
    {"response_mask", Layout::row, bit(DType::int32), false},
};
inline constexpr TensorSpec kOutputs[] = {
    {"states", Layout::lines, bit(DType::float64), true, kStateLines},
};
inline constexpr AttributeSpec kAttributes[] = {
    {"temperature", 1, 1e-6, 1e6}, kVocabOffsetAttribute, kVocabTotalAttribute};
inline constexpr OpSpec kSpec = {"token_stats_partial", kInputs, kOutputs, kAttributes};

struct Params {
  std::size_t rows;
  std::size_t vocab;              // columns of this shard
  TensorView logits;              // [rows, vocab]
  TensorView masked_logits;       // [rows, vocab] or absent
  const std::int32_t* token_ids;  // [rows] over the whole vocabulary
  const std::int32_t* mask;       // [rows] or null; a row that does not count gets the empty state
  double* states;                 // [12, rows], written by `store_state`
  double temperature;
  VocabShard shard;

  /// Not that of a vocabulary of one token: `finish` cannot know that it is one.
  float inverse_temperature() const { return static_cast<float>(1 / temperature); }
};

inline Params bind(const OpCall& call) {
  return {call.rows,
          call.vocab,
          call.inputs[kLogits],
          call.inputs[kMaskedLogits],
          static_cast<const std::int32_t*>(call.inputs[kTokenIds].data),
          static_cast<const std::int32_t*>(call.inputs[kResponseMask].data),
          static_cast<double*>(call.outputs[kStates].data),
          call.attributes[kTemperature],
          bind_shard(call.attributes[kVocabOffset], call.attributes[kVocabTotal], call.vocab)};
}

/// As for token_stats, but ids of counted rows must lie in the whole vocabulary, and the shard inside it.
/// What the logits are is not judged here: NaN or Infinity makes a state that `token_stats_finish` refuses.
Status check(const OpCall& call);

}  // namespace papo::token_stats_partial
