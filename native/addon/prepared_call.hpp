// A call that was read and may run: shared by `run` and `runAsync`.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/args.hpp"
#include "addon/env.hpp"

namespace papo::addon {

/// The values of a JavaScript call of an op, as many as one can have.
class OpArguments {
 public:
  /// `leading` of them come before the memory.
  OpArguments(napi_env env, napi_callback_info info, std::size_t leading);

  napi_env env() const { return env_; }
  /// Undefined where the call was shorter.
  napi_value operator[](std::size_t index) const { return values_[index]; }
  MemoryValues memory() const;

 private:
  static constexpr std::size_t kMost = 4 + 2 * kMaxTensors;

  napi_env env_;
  std::size_t leading_;
  std::size_t count_ = kMost;
  napi_value values_[kMost];
};

struct PreparedCall {
  const EnvState* state = nullptr;
  const OpEntry* entry = nullptr;
  OpCall call;
  HeldMemory memory;

  Status execute() const { return state->registry.run(*entry, call); }
};

/// Reads (op, numbers, stream, ..., memory) of a JavaScript call. `state` must outlive what is prepared.
Status prepare(const OpArguments& arguments, const EnvState& state, PreparedCall& prepared,
               HeldValues& values);

}  // namespace papo::addon
