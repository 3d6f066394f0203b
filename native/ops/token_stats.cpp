#include "ops/token_stats.hpp"

namespace papo::token_stats {

Status check(const OpCall& call) {
  const Params params = bind(call);
  if (params.masked_logits.present() && params.masked_logits.dtype != params.logits.dtype) {
    return expected(
        Code::dtype, "tokenStats",
        std::string("maskedLogits to be ") + name_of(params.logits.dtype) + " like logits",
        name_of(params.masked_logits.dtype));
  }
  Status status = check_mask("tokenStats", params.mask, params.rows);
  if (!status.ok()) return status;
  return check_token_ids("tokenStats", params.token_ids, params.mask, params.rows, params.vocab);
}

}  // namespace papo::token_stats
