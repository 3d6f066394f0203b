// A call that was read and may run: shared by `run` and `runAsync`.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/args.hpp"
#include "addon/env.hpp"

namespace papo::addon {

struct PreparedCall {
  std::shared_ptr<EnvState> state;
  const OpEntry* entry = nullptr;
  OpCall call;
  HeldMemory memory;

  Status execute() const { return state->registry.run(*entry, call); }
};

/// Reads (op, inputs, outputs, attributes) of a JavaScript call and the stream at `stream_index`.
Status prepare(const Napi::CallbackInfo& info, std::size_t stream_index, PreparedCall& prepared,
               HeldValues& values);

}  // namespace papo::addon
