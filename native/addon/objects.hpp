// Objects of ours in JavaScript's hands: device buffers, streams, events. Opaque there, and told from any other object.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "addon/values.hpp"
#include "core/status.hpp"
#include "cuda/memory.hpp"
#include "cuda/stream.hpp"

namespace papo::addon {

/// What such an object carries. Calls that run share `target`, so it outlives a release until they have ended.
template <typename T>
struct Handle {
  std::shared_ptr<T> target;  ///< null once released
  int device = 0;
  std::size_t bytes = 0;
  bool foreign = false;
  std::int64_t reported = 0;  ///< bytes that the garbage collector was told of
};
using BufferHandle = Handle<cuda::Memory>;
using StreamHandle = Handle<cuda::Stream>;
using EventHandle = Handle<cuda::Event>;

constexpr const char* noun_of(const BufferHandle*) { return "a device buffer"; }
constexpr const char* noun_of(const StreamHandle*) { return "a stream"; }
constexpr const char* noun_of(const EventHandle*) { return "an event"; }
/// What becomes of it.
constexpr const char* end_of(const BufferHandle*) { return "a freed device buffer"; }
constexpr const char* end_of(const StreamHandle*) { return "a destroyed stream"; }
constexpr const char* end_of(const EventHandle*) { return "a destroyed event"; }

/// Of one kind of object and one loaded binary: a second copy of the addon may lay out its handles otherwise.
template <typename H>
napi_type_tag tag_of() {
  static const char anchor = 0;
  return {0x7061706F2E6E6F64U, reinterpret_cast<std::uintptr_t>(&anchor)};
}

/// Lets go of the target; a second time does nothing.
template <typename H>
void release(napi_env env, H& handle) {
  handle.target.reset();
  std::int64_t total;
  if (handle.reported != 0) napi_adjust_external_memory(env, -handle.reported, &total);
  handle.reported = 0;
}

/// Runs on the environment's thread, at the latest when it goes down; calls no JavaScript.
template <typename H>
void finalize(napi_env env, void* data, void*) {
  const std::unique_ptr<H> handle(static_cast<H*>(data));
  release(env, *handle);
}

/// Ties `owner` to the life of `object`, in a way that the garbage collector sees through.
bool keep_owner(napi_env env, napi_value object, napi_value owner);

/// A new object that carries `handle`; null, with an exception pending, where the environment makes no more objects.
template <typename H>
napi_value make_object(napi_env env, H handle, napi_value owner = nullptr) {
  const napi_type_tag tag = tag_of<H>();
  auto carried = std::make_unique<H>(std::move(handle));
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok ||
      napi_type_tag_object(env, object, &tag) != napi_ok ||
      (owner != nullptr && !keep_owner(env, object, owner)) ||
      napi_wrap(env, object, carried.get(), finalize<H>, nullptr, nullptr) != napi_ok) {
    return nullptr;
  }
  H* const alive = carried.release();
  std::int64_t total;
  if (!alive->foreign && alive->bytes != 0) {
    alive->reported = static_cast<std::int64_t>(alive->bytes);
    napi_adjust_external_memory(env, alive->reported, &total);
  }
  return object;
}

/// Whether `value` is one of ours; runs no JavaScript, also for proxies.
template <typename H>
bool get_handle(napi_env env, napi_value value, H*& handle) {
  const napi_type_tag tag = tag_of<H>();
  bool ours = false;
  void* data = nullptr;
  if (type_of(env, value) != napi_object ||
      napi_check_object_type_tag(env, value, &tag, &ours) != napi_ok || !ours ||
      napi_unwrap(env, value, &data) != napi_ok) {
    return false;
  }
  handle = static_cast<H*>(data);
  return true;
}

/// The handle, released or not.
template <typename H>
Status find_object(napi_env env, const std::string& where, const std::string& name,
                   napi_value value, H*& handle) {
  if (get_handle(env, value, handle)) return {};
  return expected(Code::argument, where, name + " to be " + noun_of(handle), described(env, value));
}

/// The handle of what was not released.
template <typename H>
Status find_alive(napi_env env, const std::string& where, const std::string& name, napi_value value,
                  H*& handle) {
  Status status = find_object(env, where, name, value, handle);
  if (!status.ok() || handle->target != nullptr) return status;
  return expected(Code::disposed, where, name + " to be alive", end_of(handle));
}

/// A stream that may be left out (then null, the device's default stream).
Status find_stream(napi_env env, const std::string& where, napi_value value,
                   cuda::StreamPtr& stream);

/// ERR_DEVICE_MISMATCH unless `stream`, where there is one, belongs to the device.
Status check_stream_device(const std::string& where, const cuda::StreamPtr& stream, int device);

}  // namespace papo::addon
