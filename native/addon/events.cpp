// Events: createEvent, recordEvent, waitEvent, queryEvent, synchronizeEvent(Async), elapsed, destroyEvent.
#include <utility>

#include "addon/async_task.hpp"
#include "addon/calls.hpp"
#include "addon/objects.hpp"
#include "core/device.hpp"
#include "cuda/stream.hpp"

namespace papo::addon {

Napi::Value create_event(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EventHandle handle;
  Status status = read_device(env, "createEvent", info[0], handle.device);
  if (status.ok()) status = cuda::create_event("createEvent", handle.device, handle.target);
  if (!status.ok()) return ended(env, status);
  return {env, make_object(env, std::move(handle))};
}

Napi::Value record_event(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EventHandle* event = nullptr;
  cuda::StreamPtr stream;
  Status status = find_alive(env, "recordEvent", "event", info[0], event);
  if (status.ok()) status = find_stream(env, "recordEvent", info[1], stream);
  if (status.ok()) status = check_stream_device("recordEvent", stream, event->device);
  if (status.ok()) status = cuda::record("recordEvent", *event->target, stream.get());
  return ended(env, status);
}

Napi::Value wait_event(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  cuda::StreamPtr stream;
  EventHandle* event = nullptr;
  Status status = find_stream(env, "waitEvent", info[0], stream);
  if (status.ok()) status = find_alive(env, "waitEvent", "event", info[1], event);
  if (status.ok()) status = cuda::wait("waitEvent", stream.get(), *event->target);
  return ended(env, status);
}

Napi::Value query_event(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EventHandle* event = nullptr;
  bool done = false;
  Status status = find_alive(env, "queryEvent", "event", info[0], event);
  if (status.ok()) status = cuda::query("queryEvent", *event->target, done);
  if (!status.ok()) return ended(env, status);
  return Napi::Boolean::New(env, done);
}

Napi::Value synchronize_event(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EventHandle* event = nullptr;
  Status status = find_alive(env, "synchronizeEvent", "event", info[0], event);
  if (status.ok()) status = cuda::synchronize("synchronizeEvent", *event->target);
  return ended(env, status);
}

Napi::Value synchronize_event_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EventHandle* event = nullptr;
  const Status status = find_alive(env, "synchronizeEventAsync", "event", info[0], event);
  if (!status.ok()) return ended(env, status);
  HeldValues values;
  values.keep(info[0]);
  return start(env, values, [target = event->target] {
    return cuda::synchronize("synchronizeEventAsync", *target);
  });
}

Napi::Value elapsed(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EventHandle* begin = nullptr;
  EventHandle* end = nullptr;
  double ms = 0;
  Status status = find_alive(env, "elapsed", "begin", info[0], begin);
  if (status.ok()) status = find_alive(env, "elapsed", "end", info[1], end);
  if (status.ok() && begin->device != end->device) {
    status = expected(Code::device_mismatch, "elapsed",
                      "two events of " + name_of({DeviceKind::cuda, begin->device}),
                      "one of " + name_of({DeviceKind::cuda, end->device}));
  }
  if (status.ok()) status = cuda::elapsed("elapsed", *begin->target, *end->target, ms);
  if (!status.ok()) return ended(env, status);
  return Napi::Number::New(env, ms);
}

Napi::Value destroy_event(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EventHandle* event = nullptr;
  const Status status = find_object(env, "destroyEvent", "event", info[0], event);
  if (status.ok()) release(env, *event);
  return ended(env, status);
}

}  // namespace papo::addon
