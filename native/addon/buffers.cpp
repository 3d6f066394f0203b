// Device buffers: allocate, wrapPointer, bufferInfo, free, memoryInfo.
#include <cstdint>
#include <limits>

#include "addon/calls.hpp"
#include "addon/errors.hpp"
#include "addon/objects.hpp"
#include "addon/values.hpp"
#include "core/device.hpp"
#include "cuda/memory.hpp"

namespace papo::addon {
namespace {

BufferHandle handle_of(cuda::MemoryPtr memory) {
  BufferHandle handle;
  handle.device = memory->device().index;
  handle.bytes = memory->bytes();
  handle.foreign = memory->foreign();
  handle.target = std::move(memory);
  return handle;
}

Napi::Value number(Napi::Env env, std::size_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

}  // namespace

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int device = 0;
  std::size_t bytes = 0;
  cuda::MemoryPtr memory;
  Status status = read_device(env, "allocate", info[0], device);
  if (status.ok()) status = read_count(env, "allocate", "bytes", info[1], bytes);
  if (status.ok()) status = cuda::allocate("allocate", device, bytes, memory);
  if (!status.ok()) return ended(env, status);
  return {env, make_object(env, handle_of(std::move(memory)))};
}

Napi::Value wrap_pointer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const char* const where = "wrapPointer";
  int device = 0;
  std::uintptr_t pointer = 0;
  std::size_t bytes = 0;
  cuda::MemoryPtr memory;
  Status status = read_device(env, where, info[0], device);
  if (status.ok()) status = read_pointer(env, where, info[1], pointer);
  if (status.ok()) status = read_count(env, where, "bytes", info[2], bytes);
  if (status.ok() && bytes > std::numeric_limits<std::uintptr_t>::max() - pointer) {
    status = expected(Code::range, where, "bytes that end within the address space",
                      std::to_string(bytes));
  }
  if (status.ok()) status = cuda::wrap(where, device, pointer, bytes, memory);
  if (!status.ok()) return ended(env, status);
  return {env, make_object(env, handle_of(std::move(memory)), info[3])};
}

Napi::Value buffer_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  BufferHandle* buffer = nullptr;
  const Status status = find_object(env, "bufferInfo", "buffer", info[0], buffer);
  if (!status.ok()) return ended(env, status);
  const bool freed = buffer->target == nullptr;
  const auto pointer = reinterpret_cast<std::uintptr_t>(freed ? nullptr : buffer->target->data());
  Napi::Object object = Napi::Object::New(env);
  object.Set("device", name_of({DeviceKind::cuda, buffer->device}));
  object.Set("bytes", number(env, buffer->bytes));
  object.Set("pointer", Napi::BigInt::New(env, std::uint64_t{pointer}));
  object.Set("freed", freed);
  object.Set("foreign", buffer->foreign);
  return object;
}

Napi::Value free_buffer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  BufferHandle* buffer = nullptr;
  const Status status = find_object(env, "free", "buffer", info[0], buffer);
  if (status.ok()) release(env, *buffer);
  return ended(env, status);
}

Napi::Value memory_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int device = 0;
  cuda::MemoryInfo memory;
  Status status = read_device(env, "memoryInfo", info[0], device);
  if (status.ok()) status = cuda::memory_info("memoryInfo", device, memory);
  if (!status.ok()) return ended(env, status);
  Napi::Object object = Napi::Object::New(env);
  object.Set("freeBytes", number(env, memory.free_bytes));
  object.Set("totalBytes", number(env, memory.total_bytes));
  return object;
}

}  // namespace papo::addon
