// The end of a worker, noticed by calls that still run for it.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>

#include "addon/running_calls.hpp"

namespace papo::addon {

/// Before Node tells anybody of the end of a worker it waits for all calls that run, and it serves the worker's event
/// loop meanwhile. So these knock there now and then: where JavaScript may not run any more, the end has come.
class EndWatch {
 public:
  /// On the environment's thread, where `calls` are stopped; they must live as long as the environment.
  bool start(napi_env env, RunningCalls& calls);

  /// From any thread, before a block of rows; nothing before `start`.
  void knock() const;

 private:
  std::atomic<napi_threadsafe_function> door_{nullptr};
  mutable std::atomic<std::int64_t> next_{0};  ///< time of the next knock, nanoseconds
};

}  // namespace papo::addon
