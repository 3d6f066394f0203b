// One call of an op: its tensors in the order of the spec, its attributes as numbers, and how it may be stopped.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/status.hpp"
#include "core/tensor_view.hpp"
#include "ops/op_spec.hpp"

namespace papo {

/// What a call is made for, which may end under it.
class Caller {
 public:
  /// From any thread.
  virtual bool gone() const = 0;

 protected:
  ~Caller() = default;
};

/// Asked between blocks of rows: has the caller given up, or gone?
struct Cancellation {
  const std::int32_t* flag = nullptr;
  const Caller* caller = nullptr;

  bool requested() const {
    if (caller != nullptr && caller->gone()) return true;
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
