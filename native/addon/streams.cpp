// Streams: createStream, wrapStream, streamInfo, destroyStream, synchronize, synchronizeAsync.
#include <utility>

#include "addon/async_task.hpp"
#include "addon/calls.hpp"
#include "addon/objects.hpp"
#include "core/device.hpp"
#include "cuda/stream.hpp"

namespace papo::addon {
namespace {

StreamHandle handle_of(cuda::StreamPtr stream) {
  StreamHandle handle;
  handle.device = stream->device();
  handle.foreign = stream->foreign();
  handle.target = std::move(stream);
  return handle;
}

/// Reads (device, stream).
Status read_wait(const Napi::CallbackInfo& info, const char* where, int& device,
                 cuda::StreamPtr& stream) {
  Status status = read_device(info.Env(), where, info[0], device);
  if (status.ok()) status = find_stream(info.Env(), where, info[1], stream);
  if (status.ok()) status = check_stream_device(where, stream, device);
  return status;
}

}  // namespace

Napi::Value create_stream(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int device = 0;
  cuda::StreamPtr stream;
  Status status = read_device(env, "createStream", info[0], device);
  if (status.ok()) status = cuda::create_stream("createStream", device, stream);
  if (!status.ok()) return ended(env, status);
  return {env, make_object(env, handle_of(std::move(stream)))};
}

Napi::Value wrap_stream(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int device = 0;
  std::uintptr_t pointer = 0;
  cuda::StreamPtr stream;
  Status status = read_device(env, "wrapStream", info[0], device);
  if (status.ok()) status = read_pointer(env, "wrapStream", info[1], pointer);
  if (status.ok()) status = cuda::wrap_stream("wrapStream", device, pointer, stream);
  if (!status.ok()) return ended(env, status);
  return {env, make_object(env, handle_of(std::move(stream)), info[2])};
}

Napi::Value stream_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  StreamHandle* stream = nullptr;
  const Status status = find_object(env, "streamInfo", "stream", info[0], stream);
  if (!status.ok()) return ended(env, status);
  const bool destroyed = stream->target == nullptr;
  const auto pointer =
      reinterpret_cast<std::uintptr_t>(destroyed ? nullptr : stream->target->handle());
  Napi::Object object = Napi::Object::New(env);
  object.Set("device", name_of({DeviceKind::cuda, stream->device}));
  object.Set("pointer", Napi::BigInt::New(env, std::uint64_t{pointer}));
  object.Set("foreign", stream->foreign);
  object.Set("destroyed", destroyed);
  return object;
}

Napi::Value destroy_stream(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  StreamHandle* stream = nullptr;
  const Status status = find_object(env, "destroyStream", "stream", info[0], stream);
  if (status.ok()) release(env, *stream);
  return ended(env, status);
}

Napi::Value synchronize(const Napi::CallbackInfo& info) {
  int device = 0;
  cuda::StreamPtr stream;
  Status status = read_wait(info, "synchronize", device, stream);
  if (status.ok()) status = cuda::synchronize("synchronize", device, stream.get());
  return ended(info.Env(), status);
}

Napi::Value synchronize_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int device = 0;
  cuda::StreamPtr stream;
  const Status status = read_wait(info, "synchronizeAsync", device, stream);
  if (!status.ok()) return ended(env, status);
  HeldValues values;
  values.keep(info[1]);
  return start(env, values, [device, stream = std::move(stream)] {
    return cuda::synchronize("synchronizeAsync", device, stream.get());
  });
}

}  // namespace papo::addon
