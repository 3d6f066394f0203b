// What kernels and copies ask about memory.
#pragma once

#include <cstddef>
#include <string>

namespace papo::shim {

/// True if all these bytes lie in one allocation of memory that the running device reaches.
bool is_device_memory(const void* data, std::size_t bytes);

/// While it lives, work of `device` runs: only then can its memory be touched (under ASan).
class DeviceAccess {
 public:
  static constexpr int kEvery = -1;

  explicit DeviceAccess(int device);
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

/// What has been written outside of its allocation; empty if nothing.
std::string broken_fence();

}  // namespace papo::shim
