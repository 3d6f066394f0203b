#include "cuda/memory.hpp"

#include <algorithm>

#include "cuda/backend.hpp"
#include "cuda/check.hpp"
#include "cuda/device_guard.hpp"
#include "cuda/workspace.hpp"

namespace papo::cuda {
namespace {

/// `what` ends where the device's name follows.
Status check_foreign(const std::string& where, int device, std::uintptr_t address,
                     const std::string& what) {
  cudaPointerAttributes attributes = {};
  const cudaError_t error =
      cudaPointerGetAttributes(&attributes, reinterpret_cast<const void*>(address));
  if (error != cudaSuccess && error != cudaErrorInvalidValue) {
    return failure(where, device, "look up a pointer", error);
  }
  static_cast<void>(cudaGetLastError());
  const std::string wanted = what + name_of(Device{DeviceKind::cuda, device});
  const bool known = error == cudaSuccess;
  if (known && attributes.type == cudaMemoryTypeHost) {
    return expected(Code::device_mismatch, where, wanted, "page-locked memory of the host");
  }
  if (!known ||
      (attributes.type != cudaMemoryTypeDevice && attributes.type != cudaMemoryTypeManaged)) {
    return expected(Code::argument, where, wanted, "an address that CUDA does not know");
  }
  if (attributes.device != device) {
    return expected(Code::device_mismatch, where, wanted,
                    "memory of " + name_of(Device{DeviceKind::cuda, attributes.device}));
  }
  return {};
}

}  // namespace

Memory::~Memory() {
  if (foreign_ || data_ == nullptr) return;
  const DeviceGuard guard(device_.index);
  static_cast<void>(cudaFree(data_));
  static_cast<void>(cudaGetLastError());
}

Status allocate(const std::string& where, int device, std::size_t bytes, MemoryPtr& memory) {
  Status status = check_device(where, device);
  if (!status.ok()) return status;
  const DeviceGuard guard(device);
  void* data = nullptr;
  // A byte for nothing: null would read as an absent tensor.
  const std::size_t asked = std::max<std::size_t>(1, bytes);
  cudaError_t error = guard.error();
  if (error == cudaSuccess) error = cudaMalloc(&data, asked);
  if (error == cudaErrorMemoryAllocation && release_workspaces(device)) {
    static_cast<void>(cudaGetLastError());
    error = cudaMalloc(&data, asked);
  }
  if (error == cudaErrorMemoryAllocation) {
    return out_of_memory(where, device, bytes, "of memory");
  }
  status = check(where, device, "give memory", error);
  if (!status.ok()) return status;
  memory = std::make_shared<Memory>(Device{DeviceKind::cuda, device}, data, bytes, false);
  return {};
}

Status wrap(const std::string& where, int device, std::uintptr_t pointer, std::size_t bytes,
            MemoryPtr& memory) {
  Status status = check_device(where, device);
  if (!status.ok()) return status;
  const std::uintptr_t past = bytes == 0 ? 0 : bytes - 1;
  if (pointer + past < pointer) {
    return expected(Code::range, where, "a size that ends within the address space",
                    show_bytes(bytes));
  }
  if (bytes > 0) {
    // The first and the last byte: a size in the wrong unit mostly shows.
    status = check_foreign(where, device, pointer, "a pointer to memory of ");
    if (status.ok())
      status = check_foreign(where, device, pointer + past, "a last byte in memory of ");
    if (!status.ok()) return status;
  }
  memory = std::make_shared<Memory>(Device{DeviceKind::cuda, device},
                                    reinterpret_cast<void*>(pointer), bytes, true);
  return {};
}

Status allocate_pinned(const std::string& where, std::size_t bytes, std::shared_ptr<void>& memory) {
  if (!runtime().unavailable.empty()) return not_available(where, 0, runtime().unavailable);
  void* data = nullptr;
  // Any device's context will do: every device reaches the memory.
  const int device = device_in_use();
  const DeviceGuard guard(device);
  cudaError_t error = guard.error();
  if (error == cudaSuccess) {
    error = cudaHostAlloc(&data, std::max<std::size_t>(1, bytes), cudaHostAllocPortable);
  }
  if (error == cudaErrorMemoryAllocation) return out_of_pinned_memory(where, bytes);
  const Status status = check(where, device, "give page-locked memory", error);
  if (!status.ok()) return status;
  memory = std::shared_ptr<void>(data, [](void* pointer) {
    static_cast<void>(cudaFreeHost(pointer));
    static_cast<void>(cudaGetLastError());
  });
  return {};
}

Status memory_info(const std::string& where, int device, MemoryInfo& info) {
  Status status = check_device(where, device);
  if (!status.ok()) return status;
  const DeviceGuard guard(device);
  cudaError_t error = guard.error();
  if (error == cudaSuccess) error = cudaMemGetInfo(&info.free_bytes, &info.total_bytes);
  return check(where, device, "tell its memory", error);
}

}  // namespace papo::cuda
