#include "ops/token_stats_partial.hpp"

#include "cuda/ops.hpp"
#include "cuda/staged_call.hpp"
#include "math/token_lines.hpp"

namespace papo::cuda {

Status token_stats_partial(const OpCall& call) {
  const token_stats_partial::Params params = token_stats_partial::bind(call);
  StagedCall staged("tokenStatsPartial", call);
  const auto token_ids = staged.reads(params.token_ids);
  const auto mask = staged.reads(params.mask);
  const auto states = staged.writes(params.states, kStateCount);
  return staged.run([&](StagedRows& rows) {
    TokenStatsArgs args;
    args.pairs = rows.row_pairs(params.logits, params.masked_logits, token_ids, mask);
    args.pairs.inverse_temperature = params.inverse_temperature();
    args.pairs.vocab_offset = static_cast<std::int64_t>(params.shard.offset);
    args.states = rows.at(states);
    // A state says for itself whether it can be used.
    args.skip_invalid = true;
    Scratch scratch;
    Status status = rows.scratch(scratch_bytes(rows.machine(), args), scratch);
    if (!status.ok()) return status;
    return rows.launched(launch_token_stats(rows.machine(), args, scratch, rows.stream()));
  });
}

}  // namespace papo::cuda
