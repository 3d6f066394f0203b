#include "ops/token_stats_finish.hpp"

#include "ops/state_checks.hpp"

namespace papo::token_stats_finish {

Status check(const OpCall& call) {
  const Params params = bind(call);
  const std::string where = "tokenStatsFinish";
  Status status = check_mask(where, params.mask, params.rows);
  return status.ok() ? check_states(where, "states", params.states, params.mask, params.rows)
                     : status;
}

}  // namespace papo::token_stats_finish
