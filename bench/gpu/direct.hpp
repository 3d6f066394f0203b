// The launchers of native/cuda/kernels.hpp called directly: [rows] numbers that already lie on the device, any
// stream, and a machine that can be told to lack something, so that every walk can be tried on every GPU.
#pragma once

#include <string>
#include <vector>

#include "batch.hpp"
#include "cuda/kernels.hpp"
#include "op_calls.hpp"

namespace papo::gpu {

/// How a launch walks the vocabulary: as planned for the machine, or as for one that lacks what the others need.
enum class Walk {
  planned,
  widest,     ///< so little shared memory that a row takes the widest cluster
  streaming,  ///< no clusters: teams of blocks that exchange through global memory
  rows,       ///< nor cooperative launches: one block per row pair
};
inline constexpr Walk kAllWalks[] = {Walk::planned, Walk::widest, Walk::streaming, Walk::rows};
const char* name_of(Walk walk);
/// `row_bytes`: of a row of both policies.
cuda::Machine machine_for(Walk walk, int device, std::size_t row_bytes);

/// Throws what CUDA says, with what was being done.
void require(cudaError_t error, const char* what);

/// Device memory for `count` values; freed with the last copy of the handle.
template <typename T>
class DeviceArray {
 public:
  DeviceArray() = default;
  DeviceArray(int device, std::size_t count) : count_(count) {
    if (count > 0) require(cuda::allocate("papo_gpu", device, count * sizeof(T), memory_));
  }
  DeviceArray(int device, const std::vector<T>& values) : DeviceArray(device, values.size()) {
    upload(values);
  }
  T* data() const { return memory_ == nullptr ? nullptr : static_cast<T*>(memory_->data()); }
  std::size_t bytes() const { return count_ * sizeof(T); }
  void upload(const std::vector<T>& values) {
    if (bytes() == 0) return;
    require(cuda::copy("papo_gpu", {const_cast<T*>(values.data()), {}, bytes()},
                       {data(), memory_->device(), bytes()}, 1, bytes(), nullptr));
  }
  std::vector<T> download() const {
    std::vector<T> values(count_);
    if (bytes() == 0) return values;
    require(cuda::copy("papo_gpu", {data(), memory_->device(), bytes()},
                       {values.data(), {}, bytes()}, 1, bytes(), nullptr));
    return values;
  }

 private:
  std::size_t count_ = 0;
  cuda::MemoryPtr memory_;
};

/// A batch's [rows] numbers on a device and room for what kernels write there.
class DirectRows {
 public:
  DirectRows(const Batch& batch, int device);

  cuda::PapoLossArgs papo_loss(const TensorView& p, const TensorView& q, const TensorView& grad_p,
                               const TensorView& grad_q) const;
  cuda::TokenStatsArgs token_stats(const TensorView& p, const TensorView& q) const;
  cuda::TokenStatsGradArgs token_stats_grad(const TensorView& p, const TensorView& q,
                                            const TensorView& grad_p,
                                            const TensorView& grad_q) const;

  /// Outputs become what nothing computes, and no row has failed.
  void reset();
  /// What the kernels wrote; throws if a row failed.
  LossOutputs outputs() const;
  int device() const { return device_; }
  std::size_t bytes() const;

 private:
  cuda::RowPairs pairs(const TensorView& p, const TensorView& q) const;

  const Batch& batch_;
  int device_;
  DeviceArray<std::int32_t> token_ids_, mask_;
  DeviceArray<double> masked_log_probs_, old_log_probs_, ref_log_probs_, advantages_, weights_,
      entropy_weights_, given_statistics_, cotangents_, statistics_, terms_;
  DeviceArray<unsigned long long> row_error_;
};

/// Scratch for a launch, kept between launches.
class ScratchMemory {
 public:
  explicit ScratchMemory(int device) : device_(device) {}
  cuda::Scratch at_least(std::size_t bytes);

 private:
  int device_;
  DeviceArray<char> memory_;
};

/// Each enqueues and throws if the launch was refused.
void launch(const cuda::Machine& machine, const cuda::PapoLossArgs& args, ScratchMemory& scratch,
            cudaStream_t stream);
void launch(const cuda::Machine& machine, const cuda::TokenStatsArgs& args, ScratchMemory& scratch,
            cudaStream_t stream);
void launch(const cuda::Machine& machine, const cuda::TokenStatsGradArgs& args,
            ScratchMemory& scratch, cudaStream_t stream);

}  // namespace papo::gpu
