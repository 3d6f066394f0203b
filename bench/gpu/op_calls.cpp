#include "op_calls.hpp"

#include "math/token_lines.hpp"
#include "ops/papo_loss.hpp"
#include "ops/token_stats.hpp"
#include "ops/token_stats_grad.hpp"
#include "ops/token_stats_partial.hpp"

namespace papo::gpu {
namespace {

/// A [rows] or [k, rows] array of the host; absent if it is empty.
template <typename T>
TensorView host_view(const std::vector<T>& values, std::size_t lines, DType dtype) {
  if (values.empty()) return {};
  const std::size_t columns = values.size() / lines;
  void* data = const_cast<T*>(values.data());
  if (lines == 1) return {data, columns, 1, 1, dtype, {}};
  return {data, lines, columns, columns, dtype, {}};
}

TensorView numbers(const std::vector<double>& values) {
  return host_view(values, 1, DType::float64);
}
TensorView lines(const std::vector<double>& values, std::size_t count) {
  return host_view(values, count, DType::float64);
}
TensorView integers(const std::vector<std::int32_t>& values) {
  return host_view(values, 1, DType::int32);
}

OpCall call_of(const OpSpec& spec, const Batch& batch, std::size_t vocab) {
  OpCall call;
  call.spec = &spec;
  call.rows = batch.rows();
  call.vocab = vocab;
  for (std::size_t i = 0; i < spec.attributes.size; ++i) {
    call.attributes[i] = spec.attributes[i].initial;
  }
  return call;
}

}  // namespace

OpCall token_stats_call(const Batch& batch, const TensorView& logits,
                        const TensorView& masked_logits, const StatsOutputs& outputs) {
  using namespace token_stats;
  OpCall call = call_of(kSpec, batch, batch.spec.vocab);
  call.inputs[kLogits] = logits;
  call.inputs[kMaskedLogits] = masked_logits;
  call.inputs[kTokenIds] = integers(batch.token_ids);
  call.inputs[kResponseMask] = integers(batch.mask);
  outputs.statistics->assign(kStatisticCount * batch.rows(), -1);
  call.outputs[kStatistics] = lines(*outputs.statistics, kStatisticCount);
  if (outputs.invalid != nullptr) {
    outputs.invalid->assign(batch.rows(), -1);
    call.outputs[kInvalid] = integers(*outputs.invalid);
    call.attributes[kOnInvalid] = 1;
  }
  call.attributes[kTemperature] = batch.spec.temperature;
  return call;
}

OpCall token_stats_grad_call(const Batch& batch, const TensorView& logits,
                             const TensorView& masked_logits, const TensorView& grad_logits,
                             const TensorView& grad_masked_logits, bool accumulate) {
  using namespace token_stats_grad;
  OpCall call = call_of(kSpec, batch, batch.spec.vocab);
  call.inputs[kLogits] = logits;
  call.inputs[kMaskedLogits] = masked_logits;
  call.inputs[kTokenIds] = integers(batch.token_ids);
  call.inputs[kResponseMask] = integers(batch.mask);
  call.inputs[kStatistics] = lines(batch.statistics, kStatisticCount);
  call.inputs[kCotangents] = lines(batch.cotangents, kCotangentCount);
  call.outputs[kGradLogits] = grad_logits;
  call.outputs[kGradMaskedLogits] = grad_masked_logits;
  call.attributes[kTemperature] = batch.spec.temperature;
  call.attributes[kAccumulate] = accumulate ? 1 : 0;
  return call;
}

OpCall papo_loss_call(const Batch& batch, const TensorView& logits, const TensorView& masked_logits,
                      const TensorView& grad_logits, const TensorView& grad_masked_logits,
                      LossOutputs& outputs) {
  using namespace papo_loss;
  OpCall call = call_of(kSpec, batch, batch.spec.vocab);
  call.inputs[kLogits] = logits;
  call.inputs[kMaskedLogits] = masked_logits;
  call.inputs[kMaskedLogProbs] = numbers(batch.masked_log_probs);
  call.inputs[kTokenIds] = integers(batch.token_ids);
  call.inputs[kResponseMask] = integers(batch.mask);
  call.inputs[kOldLogProbs] = numbers(batch.old_log_probs);
  call.inputs[kRefLogProbs] = numbers(batch.ref_log_probs);
  call.inputs[kAdvantages] = numbers(batch.advantages);
  call.inputs[kWeights] = numbers(batch.weights);
  call.inputs[kEntropyWeights] = numbers(batch.entropy_weights);
  outputs.statistics.assign(kStatisticCount * batch.rows(), -1);
  outputs.terms.assign(kTermCount * batch.rows(), -1);
  call.outputs[kStatistics] = lines(outputs.statistics, kStatisticCount);
  call.outputs[kTerms] = lines(outputs.terms, kTermCount);
  call.outputs[kGradLogits] = grad_logits;
  call.outputs[kGradMaskedLogits] = grad_masked_logits;
  const ObjectiveParams params = batch.objective();
  using namespace token_objective_op;
  call.attributes[kClipLow] = params.clip.low;
  call.attributes[kClipHigh] = params.clip.high;
  call.attributes[kClipDual] = params.clip.dual;
  call.attributes[kRefKlCoef] = params.ref_kl_coef;
  call.attributes[kPerceptionKlCoef] = params.perception_kl_coef;
  call.attributes[kPerceptionKlEstimator] = static_cast<double>(params.perception_kl_estimator);
  call.attributes[kEntropyCoef] = params.entropy_coef;
  call.attributes[kMaskedEntropyCoef] = params.masked_entropy_coef;
  call.attributes[kEntropyEstimator] = static_cast<double>(params.entropy_estimator);
  call.attributes[kMaskedBranch] = params.masked_differentiable ? 1 : 0;
  call.attributes[papo_loss::kTemperature] = batch.spec.temperature;
  return call;
}

OpCall token_stats_partial_call(const Batch& batch, const TensorView& logits,
                                const TensorView& masked_logits, std::size_t vocab_offset,
                                std::vector<double>& states) {
  using namespace token_stats_partial;
  OpCall call = call_of(kSpec, batch, logits.columns);
  call.inputs[kLogits] = logits;
  call.inputs[kMaskedLogits] = masked_logits;
  call.inputs[kTokenIds] = integers(batch.token_ids);
  call.inputs[kResponseMask] = integers(batch.mask);
  states.assign(kStateCount * batch.rows(), -1);
  call.outputs[kStates] = lines(states, kStateCount);
  call.attributes[kTemperature] = batch.spec.temperature;
  call.attributes[kVocabOffset] = static_cast<double>(vocab_offset);
  call.attributes[kVocabTotal] = static_cast<double>(batch.spec.vocab);
  return call;
}

Status run(const Registry& registry, const char* op, const OpCall& call) {
  return registry.run(*registry.find(op), call);
}

}  // namespace papo::gpu
