// Memory: device memory and page-locked memory in allocations of their own, and what is known of a pointer.
#include "shim/memory.hpp"

#include <cstdlib>

#include "shim/arena.hpp"
#include "shim/races.hpp"
#include "shim/report.hpp"
#include "shim/runtime.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace papo::shim {
namespace {

constexpr std::size_t kAlignment = 256;
int accessible_device = -1;

/// Under ASan the host cannot touch device memory, and a kernel not that of another device.
void forbid(const Allocation& allocation) {
#if defined(__SANITIZE_ADDRESS__)
  if (!allocation.pinned) __asan_poison_memory_region(allocation.data, allocation.bytes);
#else
  (void)allocation;
#endif
}

void permit(const Allocation& allocation) {
#if defined(__SANITIZE_ADDRESS__)
  if (!allocation.pinned) __asan_unpoison_memory_region(allocation.data, allocation.bytes);
#else
  (void)allocation;
#endif
}

bool reachable(const Runtime& r, const Allocation& allocation, int device) {
  if (device == DeviceAccess::kEvery || allocation.device == device) return true;
  return r.devices[static_cast<std::size_t>(device)].peers.count(allocation.device) != 0;
}

cudaError_t release(Runtime& r, void* memory, bool pinned) {
  if (memory == nullptr) return cudaSuccess;
  const auto found = r.allocations.find(reinterpret_cast<std::uintptr_t>(memory));
  if (found == r.allocations.end() || found->second.pinned != pinned) return cudaErrorInvalidValue;
  // As the real ones: nothing that is still to be done loses its memory.
  for (std::size_t i = 0; i < r.devices.size(); ++i) {
    if (pinned || found->second.device == static_cast<int>(i)) drain_device(r, static_cast<int>(i));
  }
  const Allocation allocation = found->second;
  r.allocations.erase(found);
  if (!pinned) r.devices[static_cast<std::size_t>(allocation.device)].used -= allocation.bytes;
  permit(allocation);
  if (!fences_stand(allocation.data)) {
    report(text("%zu bytes of %s memory have been written outside of", allocation.bytes,
                pinned ? "page-locked" : "device"));
  }
  forget_races_at(allocation.data);
  delete_arena(allocation.data);
  return cudaSuccess;
}

void make(Runtime& r, void** memory, std::size_t bytes, bool pinned) {
  Allocation allocation;
  allocation.data = new_arena(bytes, kAlignment);
  allocation.bytes = bytes;
  allocation.device = current_device();
  allocation.pinned = pinned;
  r.allocations[reinterpret_cast<std::uintptr_t>(allocation.data)] = allocation;
  r.devices[static_cast<std::size_t>(allocation.device)].has_context = true;
  forbid(allocation);
  *memory = allocation.data;
}

}  // namespace

bool is_device_memory(const void* data, std::size_t bytes) {
  // The lock is held by whoever runs this device's work.
  const Runtime& r = runtime();
  const Allocation* allocation = r.allocation_of(data);
  if (allocation == nullptr || allocation->pinned) return false;
  if (!reachable(r, *allocation, accessible_device)) return false;
  const auto offset = static_cast<std::size_t>(static_cast<const char*>(data) - allocation->data);
  return bytes <= allocation->bytes - offset;
}

DeviceAccess::DeviceAccess(int device) {
  Runtime& r = runtime();
  accessible_device = device;
  for (const auto& [address, allocation] : r.allocations) {
    if (reachable(r, allocation, device)) permit(allocation);
  }
}

DeviceAccess::~DeviceAccess() {
  for (const auto& [address, allocation] : runtime().allocations) forbid(allocation);
}

std::string broken_fence() {
  for (const auto& [address, allocation] : runtime().allocations) {
    if (fences_stand(allocation.data)) continue;
    return text("the kernel has written outside of %zu bytes of %s memory", allocation.bytes,
                allocation.pinned ? "page-locked" : "device");
  }
  return {};
}

}  // namespace papo::shim

using papo::shim::call;
using papo::shim::Runtime;

extern "C" {

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  return call("cudaMalloc", [=](Runtime& r) {
    auto& device = r.devices[static_cast<std::size_t>(papo::shim::current_device())];
    *memory = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (bytes > device.properties.totalGlobalMem - device.used) return cudaErrorMemoryAllocation;
    papo::shim::make(r, memory, bytes, false);
    device.used += bytes;
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* memory) {
  return call("cudaFree", [=](Runtime& r) { return papo::shim::release(r, memory, false); });
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned int flags) {
  return call("cudaHostAlloc", [=](Runtime& r) {
    *memory = nullptr;
    if (flags > (cudaHostAllocPortable | cudaHostAllocMapped)) return cudaErrorInvalidValue;
    if (bytes == 0) return cudaSuccess;
    if (bytes > r.settings.memory_bytes) return cudaErrorMemoryAllocation;
    papo::shim::make(r, memory, bytes, true);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  return cudaHostAlloc(memory, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void* memory) {
  return call("cudaFreeHost", [=](Runtime& r) { return papo::shim::release(r, memory, true); });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return call("cudaMemGetInfo", [=](Runtime& r) {
    const auto& device = r.devices[static_cast<std::size_t>(papo::shim::current_device())];
    *total = device.properties.totalGlobalMem;
    *free = *total - device.used;
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return call("cudaPointerGetAttributes", [=](Runtime& r) {
    *attributes = {};
    attributes->device = -2;
    const papo::shim::Allocation* allocation = r.allocation_of(pointer);
    if (allocation == nullptr) {
      attributes->hostPointer = const_cast<void*>(pointer);
      return cudaSuccess;
    }
    attributes->type = allocation->pinned ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
    attributes->device = allocation->device;
    attributes->devicePointer = const_cast<void*>(pointer);
    attributes->hostPointer = allocation->pinned ? const_cast<void*>(pointer) : nullptr;
    return cudaSuccess;
  });
}

}  // extern "C"
