#include "direct.hpp"

#include <algorithm>
#include <stdexcept>

#include "ops/vocab_shard.hpp"

namespace papo::gpu {
namespace {

cuda::Gradients gradients_of(const TensorView& grad_p, const TensorView& grad_q) {
  cuda::Gradients gradients;
  gradients.dtype = grad_p.present() ? grad_p.dtype : grad_q.dtype;
  gradients.grad_logits = grad_p.data;
  gradients.grad_masked_logits = grad_q.data;
  gradients.row_pitch = static_cast<std::int64_t>(grad_p.row_pitch);
  gradients.masked_row_pitch = static_cast<std::int64_t>(grad_q.row_pitch);
  return gradients;
}

}  // namespace

const char* name_of(Walk walk) {
  switch (walk) {
    case Walk::planned:
      return "as planned";
    case Walk::widest:
      return "widest clusters";
    case Walk::streaming:
      return "streaming";
    case Walk::rows:
      return "one block per row";
  }
  return "?";
}

cuda::Machine machine_for(Walk walk, int device, std::size_t row_bytes) {
  cuda::Machine machine = cuda::machine_of(device);
  // A sixteenth of the row beside what a block of 16 needs for itself.
  constexpr std::size_t kOwnBytes = 1280;
  if (walk == Walk::widest) {
    machine.shared_per_block = std::min(machine.shared_per_block, row_bytes / 16 + kOwnBytes);
  }
  if (walk == Walk::streaming || walk == Walk::rows) machine.clusters = false;
  if (walk == Walk::rows) machine.cooperative = false;
  return machine;
}

void require(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

DirectRows::DirectRows(const Batch& batch, int device)
    : batch_(batch),
      device_(device),
      token_ids_(device, batch.token_ids),
      mask_(device, batch.mask),
      masked_log_probs_(device, batch.masked_log_probs),
      old_log_probs_(device, batch.old_log_probs),
      ref_log_probs_(device, batch.ref_log_probs),
      advantages_(device, batch.advantages),
      weights_(device, batch.weights),
      entropy_weights_(device, batch.entropy_weights),
      given_statistics_(device, batch.statistics),
      cotangents_(device, batch.cotangents),
      statistics_(device, kStatisticCount * batch.rows()),
      terms_(device, kTermCount * batch.rows()),
      row_error_(device, 1) {
  reset();
}

cuda::RowPairs DirectRows::pairs(const TensorView& p, const TensorView& q) const {
  cuda::RowPairs pairs;
  pairs.dtype = p.dtype;
  pairs.logits = p.data;
  pairs.masked_logits = q.data;
  pairs.row_pitch = static_cast<std::int64_t>(p.row_pitch);
  pairs.masked_row_pitch = static_cast<std::int64_t>(q.row_pitch);
  pairs.rows = static_cast<std::int64_t>(p.rows);
  pairs.vocab = static_cast<std::int64_t>(p.columns);
  pairs.token_ids = token_ids_.data();
  pairs.mask = mask_.data();
  pairs.inverse_temperature = inverse_of(batch_.spec.temperature, p.columns);
  pairs.row_error = row_error_.data();
  return pairs;
}

cuda::PapoLossArgs DirectRows::papo_loss(const TensorView& p, const TensorView& q,
                                         const TensorView& grad_p, const TensorView& grad_q) const {
  cuda::PapoLossArgs args;
  args.pairs = pairs(p, q);
  args.gradients = gradients_of(grad_p, grad_q);
  args.masked_log_probs = masked_log_probs_.data();
  args.old_log_probs = old_log_probs_.data();
  args.ref_log_probs = ref_log_probs_.data();
  args.advantages = advantages_.data();
  args.weights = weights_.data();
  args.entropy_weights = entropy_weights_.data();
  args.statistics = statistics_.data();
  args.terms = terms_.data();
  args.objective = batch_.objective();
  args.scale = static_cast<double>(args.pairs.inverse_temperature);
  return args;
}

cuda::TokenStatsArgs DirectRows::token_stats(const TensorView& p, const TensorView& q) const {
  cuda::TokenStatsArgs args;
  args.pairs = pairs(p, q);
  args.statistics = statistics_.data();
  return args;
}

cuda::TokenStatsGradArgs DirectRows::token_stats_grad(const TensorView& p, const TensorView& q,
                                                      const TensorView& grad_p,
                                                      const TensorView& grad_q) const {
  cuda::TokenStatsGradArgs args;
  args.pairs = pairs(p, q);
  args.gradients = gradients_of(grad_p, grad_q);
  args.statistics = given_statistics_.data();
  args.cotangents = cotangents_.data();
  args.scale = static_cast<double>(args.pairs.inverse_temperature);
  return args;
}

void DirectRows::reset() {
  statistics_.upload(std::vector<double>(kStatisticCount * batch_.rows(), -1));
  terms_.upload(std::vector<double>(kTermCount * batch_.rows(), -1));
  row_error_.upload({cuda::kNoRowError});
}

LossOutputs DirectRows::outputs() const {
  const unsigned long long failed = row_error_.download().front();
  if (failed != cuda::kNoRowError) {
    throw std::runtime_error("row " + std::to_string(failed / cuda::kRowErrorKinds) +
                             " failed with kind " + std::to_string(failed % cuda::kRowErrorKinds));
  }
  return {statistics_.download(), terms_.download()};
}

std::size_t DirectRows::bytes() const {
  std::size_t bytes = token_ids_.bytes() + mask_.bytes();
  for (const DeviceArray<double>* each :
       {&masked_log_probs_, &old_log_probs_, &ref_log_probs_, &advantages_, &weights_,
        &entropy_weights_, &statistics_, &terms_}) {
    bytes += each->bytes();
  }
  return bytes;
}

cuda::Scratch ScratchMemory::at_least(std::size_t bytes) {
  if (bytes > memory_.bytes()) memory_ = DeviceArray<char>(device_, bytes);
  return {memory_.data(), memory_.bytes()};
}

void launch(const cuda::Machine& machine, const cuda::PapoLossArgs& args, ScratchMemory& scratch,
            cudaStream_t stream) {
  require(cuda::launch_papo_loss(machine, args,
                                 scratch.at_least(cuda::scratch_bytes(machine, args)), stream),
          "papo_loss");
}

void launch(const cuda::Machine& machine, const cuda::TokenStatsArgs& args, ScratchMemory& scratch,
            cudaStream_t stream) {
  require(cuda::launch_token_stats(machine, args,
                                   scratch.at_least(cuda::scratch_bytes(machine, args)), stream),
          "token_stats");
}

void launch(const cuda::Machine& machine, const cuda::TokenStatsGradArgs& args, ScratchMemory&,
            cudaStream_t stream) {
  require(cuda::launch_token_stats_grad(machine, args, stream), "token_stats_grad");
}

}  // namespace papo::gpu
