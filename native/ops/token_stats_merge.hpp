// token_stats_merge: the states of two parts of the vocabulary -> the state of both together. [rows] only.
#pragma once

#include "ops/op_call.hpp"

namespace papo::token_stats_merge {

enum Input { kStates, kOtherStates };
enum Output { kMergedStates };

inline constexpr TensorSpec kInputs[] = {
    {"states", Layout::lines, bit(DType::float64), true, kStateLines},
    {"other_states", Layout::lines, bit(DType::float64), true, kStateLines},
};
inline constexpr TensorSpec kOutputs[] = {
    {"merged_states", Layout::lines, bit(DType::float64), true, kStateLines},
};
inline constexpr OpSpec kSpec = {"token_stats_merge", kInputs, kOutputs, {}};

struct Params {
  std::size_t rows;
  const double* states;        // [12, rows]
  const double* other_states;  // [12, rows]
  double* merged_states;       // [12, rows]
};

inline Params bind(const OpCall& call) {
  return {call.rows, static_cast<const double*>(call.inputs[kStates].data),
          static_cast<const double*>(call.inputs[kOtherStates].data),
          static_cast<double*>(call.outputs[kMergedStates].data)};
}

/// Every column of both must be a state (`check_states`).
Status check(const OpCall& call);

}  // namespace papo::token_stats_merge
