// One op call on a device: its [rows] numbers go up in one block, its kernels run, and one block comes down.
//
// The block lies at the same offsets in page-locked memory and on the device:
//   [what the kernel reads][row_error][what the kernel writes]
// so that one copy takes the first two up and one brings the last two down. A call of very many rows is done in
// several such rounds, which bounds the block.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "cuda/workspace.hpp"
#include "ops/op_call.hpp"

namespace papo::cuda {

/// The largest block a round takes, a few bytes of alignment aside: some 160 000 rows of papo_loss.
inline constexpr std::size_t kMostStagedBytes = std::size_t{32} << 20;

/// An array that a `StagedCall` stages, or nothing.
template <typename T>
struct Staged {
  std::size_t index = ~std::size_t{0};

  bool present() const { return index != ~std::size_t{0}; }
};

class StagedRows;

class StagedCall {
 public:
  StagedCall(std::string where, const OpCall& call, std::size_t most_bytes = kMostStagedBytes)
      : where_(std::move(where)), call_(call), most_bytes_(most_bytes) {}

  /// [lines, rows] numbers of the host for the kernel; null is none.
  template <typename T>
  Staged<const T> reads(const T* data, std::size_t lines = 1) {
    return {add(const_cast<T*>(data), sizeof(T), lines, false)};
  }
  /// The same for what the kernel writes, which reaches the host if the round succeeds.
  template <typename T>
  Staged<T> writes(T* data, std::size_t lines = 1) {
    return {add(data, sizeof(T), lines, true)};
  }

  /// Enqueues the kernels of one round; what it returns ends the call if it is not ok.
  using Launch = std::function<Status(StagedRows&)>;

  /// Runs the rounds in order and waits for each. The first that fails ends the call, with its first failing row.
  Status run(const Launch& launch);

 private:
  friend class StagedRows;

  struct Array {
    char* host;  ///< null: absent
    std::size_t element;
    std::size_t lines;
    bool written;
    std::size_t offset = 0;
  };

  std::size_t add(void* data, std::size_t element, std::size_t lines, bool written);
  void lay_out(std::size_t rows);
  std::size_t rows_per_round() const;
  Status round(Workspace& workspace, std::size_t begin, std::size_t rows, const Launch& launch);
  void gather(char* block, std::size_t begin, std::size_t rows) const;
  void scatter(const char* block, std::size_t begin, std::size_t rows) const;

  std::string where_;
  const OpCall& call_;
  std::size_t most_bytes_;
  static constexpr std::size_t kMostArrays = 2 * kMaxTensors;
  Array arrays_[kMostArrays] = {};
  std::size_t count_ = 0;
  std::size_t row_error_ = 0;  ///< offset
  std::size_t end_ = 0;
};

/// The rows of one round, where they lie on the device.
class StagedRows {
 public:
  StagedRows(const StagedCall& call, Workspace& workspace, std::size_t begin, std::size_t rows)
      : call_(call), workspace_(workspace), begin_(begin), rows_(rows) {}

  std::size_t begin() const { return begin_; }
  std::size_t rows() const { return rows_; }
  const Machine& machine() const;
  cudaStream_t stream() const { return static_cast<cudaStream_t>(call_.call_.stream); }

  /// The array's rows, or null.
  template <typename T>
  T* at(Staged<T> array) const {
    return array.present()
               ? reinterpret_cast<T*>(workspace_.device() + call_.arrays_[array.index].offset)
               : nullptr;
  }

  /// The call's logits from this round's first row on.
  RowPairs row_pairs(const TensorView& logits, const TensorView& masked_logits,
                     Staged<const std::int32_t> token_ids, Staged<const std::int32_t> mask) const;
  /// The call's gradients, likewise.
  Gradients gradients(const TensorView& grad_logits, const TensorView& grad_masked_logits) const;

  Status scratch(std::size_t bytes, Scratch& scratch);
  /// What a launcher returned, as the call's status.
  Status launched(cudaError_t error) const;

 private:
  const StagedCall& call_;
  Workspace& workspace_;
  std::size_t begin_;
  std::size_t rows_;
};

/// After a failure no half-written gradient is left: zeros, except in place, where the logits were given up. `mask`, on
/// the host, is given where the rows that it leaves out hold zeros already.
void clear_gradient(const OpCall& call, const TensorView& grad, const TensorView& logits,
                    const std::int32_t* mask);

}  // namespace papo::cuda
