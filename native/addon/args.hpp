// The arguments of an op's JavaScript call -> OpCall, guided by the op's spec. Nothing here trusts what came.
#pragma once

#include <napi.h>

#include "addon/env.hpp"
#include "addon/held.hpp"
#include "core/status.hpp"
#include "ops/op_call.hpp"

namespace papo::addon {

/// Numbers that say what a tensor is: memory (-1: absent), byteOffset, dtype, rows, columns, rowPitch.
inline constexpr std::size_t kTensorNumbers = 6;
/// Those of a whole call: of every tensor in the order of the spec, then its attributes.
inline constexpr std::size_t kMostNumbers = kTensorNumbers * 2 * kMaxTensors + kMaxAttributes;

/// Values of a JavaScript call: no property of them is read, so that no JavaScript runs until the op has ended.
struct MemoryValues {
  const napi_value* values = nullptr;
  std::size_t count = 0;
};

/// Reads `numbers` and the memory that they name into `call`; `held` and `values` get whatever it points to.
Status read_call(napi_env env, const EnvState& state, const OpSpec& spec, napi_value numbers,
                 MemoryValues memory, OpCall& call, HeldMemory& held, HeldValues& values);

/// A cancellation flag: an Int32Array of at least one element, or undefined.
Status read_cancellation(napi_env env, napi_value value, const std::int32_t*& flag);

}  // namespace papo::addon
