// Work off the event loop: what it uses is held until its promise settles.
#pragma once

#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "addon/array_memory.hpp"
#include "addon/env.hpp"
#include "addon/errors.hpp"
#include "addon/held.hpp"
#include "addon/values.hpp"

namespace papo::addon {

/// `Work` is called on a worker thread, gives a Status, and lives until the promise has settled on the event loop.
///
/// In plain Node-API, whose every call fails once the environment is going down, at any moment: what could not be held
/// must not start, and a promise that could not be made must not be returned.
template <typename Work>
class AsyncTask {
 public:
  ~AsyncTask() {
    for (napi_ref reference : held_) napi_delete_reference(env_, reference);
    if (task_ != nullptr) napi_delete_async_work(env_, task_);
  }
  AsyncTask(const AsyncTask&) = delete;
  AsyncTask& operator=(const AsyncTask&) = delete;

  /// Starts `work` and gives its promise, or null where the environment starts nothing more.
  static napi_value start(napi_env env, const HeldValues& held, Work work) {
    std::unique_ptr<AsyncTask> task(new AsyncTask(env, std::move(work)));
    napi_value promise = nullptr;
    if (!task->hold(held) || !task->prepare() ||
        napi_create_promise(env, &task->deferred_, &promise) != napi_ok ||
        napi_queue_async_work(env, task->task_) != napi_ok) {
      return nullptr;
    }
    task->state_->calls.made();
    static_cast<void>(task.release());  // to `complete`
    return promise;
  }

 private:
  AsyncTask(napi_env env, Work work) : env_(env), state_(state_of(env)), work_(std::move(work)) {}

  /// A reference each: putting them into an array would ask the setters of Array.prototype, which is JavaScript. And
  /// the memory of arrays, which JavaScript may transfer meanwhile.
  bool hold(const HeldValues& held) {
    held_.reserve(held.count);
    memory_.reserve(held.count);
    for (std::uint32_t i = 0; i < held.count; ++i) {
      if (type_of(env_, held.values[i]) != napi_object) continue;
      napi_ref reference = nullptr;
      if (napi_create_reference(env_, held.values[i], 1, &reference) != napi_ok) return false;
      held_.push_back(reference);
      if (auto memory = array_memory(env_, held.values[i])) memory_.push_back(std::move(memory));
    }
    return true;
  }

  bool prepare() {
    napi_value name = nullptr;
    return napi_create_string_utf8(env_, "papo", NAPI_AUTO_LENGTH, &name) == napi_ok &&
           napi_create_async_work(env_, nullptr, name, execute, complete, this, &task_) == napi_ok;
  }

  /// What comes after the end of its environment finds its memory gone.
  static void execute(napi_env, void* data) {
    auto* task = static_cast<AsyncTask*>(data);
    if (!task->state_->calls.begin()) {
      task->status_ = {Code::aborted, "aborted"};
      return;
    }
    task->status_ = caught(task->work_);
    task->state_->calls.end();
  }

  /// Cancelled work never ran, and nobody is left to be told.
  static void complete(napi_env env, napi_status outcome, void* data) {
    const std::unique_ptr<AsyncTask> task(static_cast<AsyncTask*>(data));
    task->state_->calls.settled();
    if (outcome == napi_cancelled) return;
    if (task->status_.ok()) {
      napi_value nothing = nullptr;
      napi_get_undefined(env, &nothing);
      napi_resolve_deferred(env, task->deferred_, nothing);
    } else {
      napi_reject_deferred(env, task->deferred_, to_error(env, task->status_));
    }
  }

  napi_env env_;
  std::shared_ptr<EnvState> state_;
  Work work_;
  napi_deferred deferred_ = nullptr;
  std::vector<napi_ref> held_;
  HeldMemory memory_;
  napi_async_work task_ = nullptr;
  Status status_;
};

/// Starts `work` and gives its promise.
template <typename Work>
Napi::Value start(Napi::Env env, const HeldValues& held, Work work) {
  return {env, AsyncTask<Work>::start(env, held, std::move(work))};
}

}  // namespace papo::addon
