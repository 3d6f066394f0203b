// token_stats_finish: the state of a row over the whole vocabulary -> its statistics. [rows] only.
#pragma once

#include "ops/op_call.hpp"
#include "ops/row_checks.hpp"

namespace papo::token_stats_finish {

enum Input { kStates, kResponseMask };
enum Output { kStatistics, kInvalid };
enum Attribute { kTemperature, kHasMasked, kOnInvalid };

inline constexpr TensorSpec kInputs[] = {
    {"states", Layout::lines, bit(DType::float64), true, kStateLines},
    {"response_mask", Layout::row, bit(DType::int32), false},
};
inline constexpr TensorSpec kOutputs[] = {
    {"statistics", Layout::lines, bit(DType::float64), true, kStatisticLines},
    {"invalid", Layout::row, bit(DType::int32), false},
};
inline constexpr AttributeSpec kAttributes[] = {
    {"temperature", 1, 1e-6, 1e6},
    {"has_masked", 0, 0, 1},
    {"on_invalid", 0, 0, 0, false, kOnInvalidChoices},
};
inline constexpr OpSpec kSpec = {"token_stats_finish", kInputs, kOutputs, kAttributes};

struct Params {
  std::size_t rows;
  const double* states;      // [12, rows]
  const std::int32_t* mask;  // [rows] or null
  double* statistics;        // [8, rows]
  std::int32_t* invalid;     // [rows] or null
  double temperature;        // that of the partial states
  bool has_masked;
  bool skip_invalid;
};

inline Params bind(const OpCall& call) {
  return {call.rows,
          static_cast<const double*>(call.inputs[kStates].data),
          static_cast<const std::int32_t*>(call.inputs[kResponseMask].data),
          static_cast<double*>(call.outputs[kStatistics].data),
          static_cast<std::int32_t*>(call.outputs[kInvalid].data),
          call.attributes[kTemperature],
          call.attributes[kHasMasked] != 0,
          call.attributes[kOnInvalid] != 0};
}

/// Every counted column must be a state (`check_states`); whether it makes a distribution is seen on the way.
Status check(const OpCall& call);

}  // namespace papo::token_stats_finish
