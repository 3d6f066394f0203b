#include "ops/token_objective.hpp"

namespace papo::token_objective_op {

ObjectiveParams bind_objective(const double* attributes) {
  ObjectiveParams params;
  params.clip = {attributes[kClipLow], attributes[kClipHigh], attributes[kClipDual]};
  params.ref_kl_coef = attributes[kRefKlCoef];
  params.ref_kl_estimator = static_cast<KlEstimator>(static_cast<int>(attributes[kRefKlEstimator]));
  params.perception_kl_coef = attributes[kPerceptionKlCoef];
  params.perception_kl_estimator =
      static_cast<KlEstimator>(static_cast<int>(attributes[kPerceptionKlEstimator]));
  params.entropy_coef = attributes[kEntropyCoef];
  params.masked_entropy_coef = attributes[kMaskedEntropyCoef];
  params.entropy_estimator =
      static_cast<EntropyEstimator>(static_cast<int>(attributes[kEntropyEstimator]));
  params.masked_differentiable = attributes[kMaskedBranch] != 0;
  params.log_ratio_limit = attributes[kLogRatioLimit];
  params.kl_limit = attributes[kKlLimit];
  params.exact_kl_limit = attributes[kExactKlLimit];
  params.perception_kl_min = attributes[kPerceptionKlMin];
  params.perception_kl_max = attributes[kPerceptionKlMax];
  params.entropy_hinge = {attributes[kEntropyLow], attributes[kEntropyHigh]};
  return params;
}

Params bind(const OpCall& call) {
  const auto line = [](const TensorView& view) { return static_cast<double*>(view.data); };
  return {call.rows,
          line(call.inputs[kStatistics]),
          {line(call.inputs[kOldLogProbs]), line(call.inputs[kRefLogProbs]),
           line(call.inputs[kAdvantages]), line(call.inputs[kWeights]),
           line(call.inputs[kEntropyWeights]), line(call.inputs[kPerceptionWeights])},
          static_cast<const std::int32_t*>(call.inputs[kResponseMask].data),
          line(call.outputs[kTerms]),
          line(call.outputs[kCotangents]),
          bind_objective(call.attributes),
          call.attributes[kHasMasked] != 0};
}

Status check_objective(const std::string& where, const ObjectiveParams& objective,
                       const ObjectiveRows& data, const std::int32_t* mask, std::size_t rows) {
  const Clip& clip = objective.clip;
  if (clip.dual != 0 && clip.dual <= 1 + clip.high) {
    return expected(Code::range, where, "clipDual to be 0 (off) or above 1 + clipHigh",
                    show(clip.dual));
  }
  if (objective.perception_kl_min > objective.perception_kl_max) {
    return expected(
        Code::range, where, "perceptionKlMin to be at most perceptionKlMax",
        show(objective.perception_kl_min) + " above " + show(objective.perception_kl_max));
  }
  if (objective.entropy_hinge.low > objective.entropy_hinge.high) {
    return expected(
        Code::range, where, "entropyLow to be at most entropyHigh",
        show(objective.entropy_hinge.low) + " above " + show(objective.entropy_hinge.high));
  }
  if (is_exact(objective.ref_kl_estimator)) {
    return expected(
        Code::unsupported, where,
        "refKlEstimator to be a sampled one, since only log-probs of the reference are given",
        "an exact one");
  }
  Status status = check_mask(where, mask, rows);
  const struct {
    const char* name;
    const double* values;
    Infinite infinite;
  } arrays[] = {
      {"old_log_probs", data.old_log_probs, Infinite::allowed},
      {"ref_log_probs", data.ref_log_probs, Infinite::allowed},
      {"advantages", data.advantages, Infinite::refused},
      {"weights", data.weights, Infinite::refused},
      {"entropy_weights", data.entropy_weights, Infinite::refused},
  };
  for (const auto& array : arrays) {
    if (status.ok())
      status = check_numbers(where, array.name, array.values, mask, rows, array.infinite);
  }
  if (status.ok()) {
    status = check_weights(where, "perception_weights", data.perception_weights, mask, rows);
  }
  return status;
}

Status check(const OpCall& call) {
  const Params params = bind(call);
  const std::string where = "tokenObjective";
  Status status = check_objective(where, params.objective, params.data, params.mask, params.rows);
  for (std::size_t line = 0; status.ok() && line < kSpec.outputs[kCotangents].lines.size; ++line) {
    status = check_numbers(where, kStatisticLines[line], params.statistics + line * params.rows,
                           params.mask, params.rows, Infinite::allowed);
  }
  return status;
}

}  // namespace papo::token_objective_op
