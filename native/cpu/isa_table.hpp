// What each instruction set's unit exports: one row per op, doing rows [begin, end).
#pragma once

#include <cstddef>

#include "core/status.hpp"
#include "ops/papo_loss.hpp"
#include "ops/token_stats.hpp"
#include "ops/token_stats_finish.hpp"
#include "ops/token_stats_grad.hpp"
#include "ops/token_stats_merge.hpp"
#include "ops/token_stats_partial.hpp"

namespace papo::cpu {

struct IsaTable {
  Status (*token_stats)(const token_stats::Params&, std::size_t begin, std::size_t end);
  Status (*token_stats_partial)(const token_stats_partial::Params&, std::size_t begin,
                                std::size_t end);
  Status (*token_stats_merge)(const token_stats_merge::Params&, std::size_t begin, std::size_t end);
  Status (*token_stats_finish)(const token_stats_finish::Params&, std::size_t begin,
                               std::size_t end);
  Status (*token_stats_grad)(const token_stats_grad::Params&, std::size_t begin, std::size_t end);
  Status (*token_objective)(const token_objective_op::Params&, std::size_t begin, std::size_t end);
  Status (*papo_loss)(const papo_loss::Params&, std::size_t begin, std::size_t end);
  /// e^t over `count` values in [-87, 88], for the accuracy table; any count.
  void (*exp)(const float* t, float* result, std::size_t count);
};

extern const IsaTable kScalarTable;
#if defined(__x86_64__)
extern const IsaTable kAvx2Table;
extern const IsaTable kAvx512Table;
extern const IsaTable kAvx512Bf16Table;
#endif
#if defined(__aarch64__)
extern const IsaTable kNeonTable;
#endif

}  // namespace papo::cpu
