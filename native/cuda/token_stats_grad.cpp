#include "ops/token_stats_grad.hpp"

#include "cuda/ops.hpp"
#include "cuda/staged_call.hpp"

namespace papo::cuda {

Status token_stats_grad(const OpCall& call) {
  const token_stats_grad::Params params = token_stats_grad::bind(call);
  StagedCall staged("tokenStatsGrad", call);
  const auto token_ids = staged.reads(params.token_ids);
  const auto mask = staged.reads(params.mask);
  const auto statistics = staged.reads(params.statistics, kStatisticCount);
  const auto cotangents = staged.reads(params.cotangents, kCotangentCount);
  Status status = staged.run([&](StagedRows& rows) {
    TokenStatsGradArgs args;
    args.pairs = rows.row_pairs(params.logits, params.masked_logits, token_ids, mask);
    args.pairs.inverse_temperature = params.inverse_temperature();
    args.pairs.vocab_offset = static_cast<std::int64_t>(params.shard.offset);
    args.gradients = rows.gradients(params.grad_logits, params.grad_masked_logits);
    args.gradients.zeroed = params.grads_zeroed;
    args.statistics = rows.at(statistics);
    args.cotangents = rows.at(cotangents);
    args.scale = params.grad_scale * static_cast<double>(args.pairs.inverse_temperature);
    args.accumulate = params.accumulate;
    return rows.launched(launch_token_stats_grad(rows.machine(), args, rows.stream()));
  });
  if (!status.ok() && !params.accumulate) {
    const std::int32_t* mask = params.grads_zeroed ? params.mask : nullptr;
    clear_gradient(call, params.grad_logits, params.logits, mask);
    clear_gradient(call, params.grad_masked_logits, params.masked_logits, mask);
  }
  return status;
}

}  // namespace papo::cuda
