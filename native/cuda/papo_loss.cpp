#include "ops/papo_loss.hpp"

#include "cuda/ops.hpp"
#include "cuda/staged_call.hpp"
#include "ops/vocab_shard.hpp"

namespace papo::cuda {

Status papo_loss(const OpCall& call) {
  const papo_loss::Params params = papo_loss::bind(call);
  StagedCall staged("papoLoss", call);
  const auto token_ids = staged.reads(params.token_ids);
  const auto mask = staged.reads(params.mask);
  const auto masked_log_probs = staged.reads(params.masked_log_probs);
  const auto old_log_probs = staged.reads(params.data.old_log_probs);
  const auto ref_log_probs = staged.reads(params.data.ref_log_probs);
  const auto advantages = staged.reads(params.data.advantages);
  const auto weights = staged.reads(params.data.weights);
  const auto entropy_weights = staged.reads(params.data.entropy_weights);
  const auto perception_weights = staged.reads(params.data.perception_weights);
  const auto statistics = staged.writes(params.statistics, kStatisticCount);
  const auto terms = staged.writes(params.terms, kTermCount);
  Status status = staged.run([&](StagedRows& rows) {
    PapoLossArgs args;
    args.pairs = rows.row_pairs(params.logits, params.masked_logits, token_ids, mask);
    args.pairs.inverse_temperature = inverse_of(params.temperature, params.vocab);
    args.gradients = rows.gradients(params.grad_logits, params.grad_masked_logits);
    args.gradients.zeroed = params.grads_zeroed;
    args.masked_log_probs = rows.at(masked_log_probs);
    args.old_log_probs = rows.at(old_log_probs);
    args.ref_log_probs = rows.at(ref_log_probs);
    args.advantages = rows.at(advantages);
    args.weights = rows.at(weights);
    args.entropy_weights = rows.at(entropy_weights);
    args.perception_weights = rows.at(perception_weights);
    args.statistics = rows.at(statistics);
    args.terms = rows.at(terms);
    args.objective = params.objective;
    args.scale = params.grad_scale * static_cast<double>(args.pairs.inverse_temperature);
    Scratch scratch;
    Status ready = rows.scratch(scratch_bytes(rows.machine(), args), scratch);
    if (!ready.ok()) return ready;
    return rows.launched(launch_papo_loss(rows.machine(), args, scratch, rows.stream()));
  });
  if (!status.ok()) {
    const std::int32_t* mask = params.grads_zeroed ? params.mask : nullptr;
    clear_gradient(call, params.grad_logits, params.logits, mask);
    clear_gradient(call, params.grad_masked_logits, params.masked_logits, mask);
  }
  return status;
}

}  // namespace papo::cuda
