// Calls of ops over small made-up data, and the same calls with their logits and gradients on a device.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/memory.hpp"
#include "ops/op_call.hpp"

namespace papo::cuda {

/// A sound call of papo_loss with every input there is, in float32; to be spoilt.
struct HostLoss {
  static constexpr std::size_t kRows = 5;
  static constexpr std::size_t kVocab = 37;
  static constexpr std::size_t kPitch = 41;

  std::vector<float> logits, masked_logits, grad_logits, grad_masked_logits;
  std::vector<std::int32_t> token_ids, mask;
  std::vector<double> old_log_probs, ref_log_probs, advantages;
  std::vector<double> weights, entropy_weights, perception_weights;
  std::vector<double> statistics, terms;
  OpCall call;

  explicit HostLoss(unsigned seed = 0);
  HostLoss(const HostLoss&) = delete;
  HostLoss& operator=(const HostLoss&) = delete;

  Status run() const;

  /// A call of token_stats over the same logits, ids and mask, into the same statistics.
  OpCall stats() const;
};

Status run(const OpCall& call);

/// The same call elsewhere: matrices are copied to the device, outputs of numbers per token have memory of their own.
class OnDevice {
 public:
  OnDevice(const OpCall& host, int device);

  OpCall call;

  Status run() const { return cuda::run(call); }
  /// What an output of float64 lines holds.
  const std::vector<double>& lines(std::size_t output) const { return lines_[output]; }
  /// What a float32 matrix holds now, pitch included.
  std::vector<float> matrix(const TensorView& view) const;

 private:
  TensorView copied(const TensorView& view, int device);

  struct Copy {
    const void* host;
    MemoryPtr memory;
  };
  std::vector<Copy> copies_;
  std::vector<double> lines_[kMaxTensors];
};

void check_close(const std::vector<double>& device, const std::vector<double>& host,
                 double tolerance);
void check_close(const std::vector<float>& device, const std::vector<float>& host,
                 double tolerance);
/// Zeros in the rows of a HostLoss's gradient, and between them what was there.
void check_zeros(const std::vector<float>& gradient);
/// Runs a loss on both sides and compares everything.
void check_same(HostLoss& host, int device = 1);

}  // namespace papo::cuda
