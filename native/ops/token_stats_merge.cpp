#include "ops/token_stats_merge.hpp"

#include "ops/state_checks.hpp"

namespace papo::token_stats_merge {

Status check(const OpCall& call) {
  const Params params = bind(call);
  const std::string where = "tokenStatsMerge";
  Status status = check_states(where, "states", params.states, nullptr, params.rows);
  if (status.ok()) {
    status = check_states(where, "other_states", params.other_states, nullptr, params.rows);
  }
  return status;
}

}  // namespace papo::token_stats_merge
