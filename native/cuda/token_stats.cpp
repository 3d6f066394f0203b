#include "ops/token_stats.hpp"

#include "cuda/ops.hpp"
#include "cuda/staged_call.hpp"
#include "ops/vocab_shard.hpp"

namespace papo::cuda {

Status token_stats(const OpCall& call) {
  const token_stats::Params params = token_stats::bind(call);
  StagedCall staged("tokenStats", call);
  const auto token_ids = staged.reads(params.token_ids);
  const auto mask = staged.reads(params.mask);
  const auto statistics = staged.writes(params.statistics, kStatisticCount);
  const auto invalid = staged.writes(params.invalid);
  return staged.run([&](StagedRows& rows) {
    TokenStatsArgs args;
    args.pairs = rows.row_pairs(params.logits, params.masked_logits, token_ids, mask);
    args.pairs.inverse_temperature = inverse_of(params.temperature, params.vocab);
    args.statistics = rows.at(statistics);
    args.invalid = rows.at(invalid);
    args.skip_invalid = params.skip_invalid;
    Scratch scratch;
    Status status = rows.scratch(scratch_bytes(rows.machine(), args), scratch);
    if (!status.ok()) return status;
    return rows.launched(launch_token_stats(rows.machine(), args, scratch, rows.stream()));
  });
}

}  // namespace papo::cuda
