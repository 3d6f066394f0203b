// What a call points to: JavaScript values and native memory that must live until it ends.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ops/op_spec.hpp"

namespace papo::addon {

/// Values of the JavaScript call, good until it returns: an asynchronous one makes a reference of them.
struct HeldValues {
  /// Every tensor of an op, its cancellation flag and its stream.
  napi_value values[2 * kMaxTensors + 2];
  std::uint32_t count = 0;

  void keep(napi_value value) { values[count++] = value; }
};

/// Device buffers, streams and page-locked memory: what JavaScript may let go of while a call uses it.
using HeldMemory = std::vector<std::shared_ptr<void>>;

}  // namespace papo::addon
