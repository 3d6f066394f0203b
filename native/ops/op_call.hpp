// One call of an op: its tensors in the order of the spec, its attributes as numbers, and how it may be stopped.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/status.hpp"
#include "core/tensor_view.hpp"
#include "ops/op_spec.hpp"

namespace papo {

/// Asked between blocks of rows: has the caller (or the environment it lives in) given up?
struct Cancellation {
  const std::int32_t* flag = nullptr;
  const std::atomic<bool>* environment = nullptr;

  bool requested() const {
    if (environment != nullptr && environment->load(std::memory_order_relaxed)) return true;
    return flag != nullptr && __atomic_load_n(flag, __ATOMIC_RELAXED) != 0;
  }
};

struct OpCall {
  const OpSpec* spec = nullptr;
  std::size_t rows = 0;
  std::size_t vocab = 0;
  TensorView inputs[kMaxTensors];
  TensorView outputs[kMaxTensors];
  double attributes[kMaxAttributes] = {};
  /// The `cudaStream_t` that device work goes to; null is the device's default stream.
  void* stream = nullptr;
  Cancellation cancellation;
};

}  // namespace papo
