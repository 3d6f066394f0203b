// What one JavaScript environment (the main thread, a worker) owns of the addon. There is no other state.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/end_watch.hpp"
#include "addon/pinned.hpp"
#include "addon/running_calls.hpp"
#include "core/status.hpp"
#include "ops/op_call.hpp"
#include "ops/registry.hpp"

namespace papo::addon {

struct EnvState final : Caller {
  Registry registry;
  /// Why no op can run (PAPO_CPU_ISA names what is not there), or ok.
  Status startup;
  RunningCalls calls;
  EndWatch watch;
  PinnedRegions pinned;

  bool gone() const override {
    if (calls.closing()) return true;
    watch.knock();
    return false;
  }
};

/// Makes the environment's state and ties it to its life.
void create_state(Napi::Env env);

/// Shared, so that work in flight keeps it until it ends.
std::shared_ptr<EnvState> state_of(Napi::Env env);

/// The same for work that ends before the JavaScript call does.
const EnvState& current_state(Napi::Env env);

}  // namespace papo::addon
