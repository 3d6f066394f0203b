// Calls of the engine's ops on a batch: the same words for tensors of the host and of the device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "batch.hpp"

namespace papo::gpu {

struct StatsOutputs {
  std::vector<double>* statistics = nullptr;     // [8, rows]
  std::vector<std::int32_t>* invalid = nullptr;  // [rows]; asks for unusable rows to be skipped
};

OpCall token_stats_call(const Batch& batch, const TensorView& logits,
                        const TensorView& masked_logits, const StatsOutputs& outputs);

/// With the batch's own statistics and cotangents.
OpCall token_stats_grad_call(const Batch& batch, const TensorView& logits,
                             const TensorView& masked_logits, const TensorView& grad_logits,
                             const TensorView& grad_masked_logits, bool accumulate);

struct LossOutputs {
  std::vector<double> statistics;  // [8, rows]
  std::vector<double> terms;       // [12, rows]
};

OpCall papo_loss_call(const Batch& batch, const TensorView& logits, const TensorView& masked_logits,
                      const TensorView& grad_logits, const TensorView& grad_masked_logits,
                      LossOutputs& outputs);

/// The states of a shard of the vocabulary, [12, rows].
OpCall token_stats_partial_call(const Batch& batch, const TensorView& logits,
                                const TensorView& masked_logits, std::size_t vocab_offset,
                                std::vector<double>& states);

Status run(const Registry& registry, const char* op, const OpCall& call);

}  // namespace papo::gpu
