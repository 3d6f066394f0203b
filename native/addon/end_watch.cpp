#include "addon/end_watch.hpp"

#include <chrono>

namespace papo::addon {
namespace {

constexpr std::int64_t kEvery = 10'000'000;  // nanoseconds

/// On the event loop. Asks for something that Node refuses at the end, and that runs no code of anybody's.
void answer(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  napi_value object = nullptr;
  bool has = false;
  if (napi_create_object(env, &object) != napi_ok ||
      napi_has_named_property(env, object, "", &has) != napi_ok) {
    static_cast<RunningCalls*>(context)->stop();
  }
}

}  // namespace

bool EndWatch::start(napi_env env, RunningCalls& calls) {
  if (door_ != nullptr) return true;
  napi_value name = nullptr;
  napi_threadsafe_function door = nullptr;
  if (napi_create_string_utf8(env, "papo", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, nullptr, nullptr, name, 1, 1, nullptr, nullptr, &calls,
                                      answer, &door) != napi_ok) {
    return false;
  }
  // It keeps no worker alive.
  napi_unref_threadsafe_function(env, door);
  door_ = door;
  return true;
}

void EndWatch::knock() const {
  const napi_threadsafe_function door = door_.load(std::memory_order_acquire);
  if (door == nullptr) return;
  const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                               std::chrono::steady_clock::now().time_since_epoch())
                               .count();
  std::int64_t next = next_.load(std::memory_order_relaxed);
  if (now < next || !next_.compare_exchange_strong(next, now + kEvery)) return;
  napi_call_threadsafe_function(door, nullptr, napi_tsfn_nonblocking);
}

}  // namespace papo::addon
