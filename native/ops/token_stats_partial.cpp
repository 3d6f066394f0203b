#include "ops/token_stats_partial.hpp"

namespace papo::token_stats_partial {

Status check(const OpCall& call) {
  const std::string where = "tokenStatsPartial";
  const Params params = bind(call);
  if (params.masked_logits.present() && params.masked_logits.dtype != params.logits.dtype) {
    return expected(
        Code::dtype, where,
        std::string("maskedLogits to be ") + name_of(params.logits.dtype) + " like logits",
        name_of(params.masked_logits.dtype));
  }
  Status status =
      check_shard(where, call.attributes[kVocabOffset], call.attributes[kVocabTotal], params.vocab);
  if (status.ok()) status = check_mask(where, params.mask, params.rows);
  if (status.ok()) {
    status = check_token_ids(where, params.token_ids, params.mask, params.rows, params.shard.total);
  }
  return status;
}

}  // namespace papo::token_stats_partial
