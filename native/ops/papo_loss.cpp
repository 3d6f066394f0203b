#include "ops/papo_loss.hpp"

#include "ops/token_stats_grad.hpp"

namespace papo::papo_loss {

Params bind(const OpCall& call) {
  const auto line = [](const TensorView& view) { return static_cast<double*>(view.data); };
  Params params = {call.rows,
                   call.vocab,
                   call.inputs[kLogits],
                   call.inputs[kMaskedLogits],
                   call.outputs[kGradLogits],
                   call.outputs[kGradMaskedLogits],
                   line(call.inputs[kMaskedLogProbs]),
                   static_cast<const std::int32_t*>(call.inputs[kTokenIds].data),
                   static_cast<const std::int32_t*>(call.inputs[kResponseMask].data),
                   {line(call.inputs[kOldLogProbs]), line(call.inputs[kRefLogProbs]),
                    line(call.inputs[kAdvantages]), line(call.inputs[kWeights]),
                    line(call.inputs[kEntropyWeights]), line(call.inputs[kPerceptionWeights])},
                   line(call.outputs[kStatistics]),
                   line(call.outputs[kTerms]),
                   token_objective_op::bind_objective(call.attributes),
                   call.attributes[kTemperature],
                   call.attributes[kGradScale],
                   call.attributes[kGradsZeroed] != 0};
  // Masked log-probs that came as numbers are constants, whatever the branch is called.
  if (!params.masked_logits.present()) params.objective.masked_differentiable = false;
  return params;
}

Status check(const OpCall& call) {
  const std::string where = "papoLoss";
  const Params params = bind(call);
  const bool has_masked = params.masked_logits.present();
  if (has_masked && params.masked_log_probs != nullptr) {
    return expected(Code::argument, where, "either maskedLogits or maskedLogProbs", "both");
  }
  const ObjectiveParams& objective = params.objective;
  if (!has_masked && objective.perception_kl_coef != 0 &&
      is_exact(objective.perception_kl_estimator)) {
    return expected(Code::unsupported, where, "maskedLogits for the exact perception KL", "none");
  }
  if (!has_masked && objective.masked_entropy_coef != 0 &&
      objective.entropy_estimator == EntropyEstimator::exact) {
    return expected(Code::unsupported, where, "maskedLogits for the exact masked entropy", "none");
  }
  Status status = token_stats_grad::check_gradients(where, params.logits, params.masked_logits,
                                                    params.grad_logits, params.grad_masked_logits,
                                                    params.grads_zeroed);
  if (status.ok()) {
    status = token_objective_op::check_objective(where, objective, params.data, params.mask,
                                                 params.rows);
  }
  if (status.ok()) {
    status = check_numbers(where, "masked_log_probs", params.masked_log_probs, params.mask,
                           params.rows, Infinite::allowed);
  }
  if (status.ok()) {
    status = check_token_ids(where, params.token_ids, params.mask, params.rows, params.vocab);
  }
  return status;
}

}  // namespace papo::papo_loss
