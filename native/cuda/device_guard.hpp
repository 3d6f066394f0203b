// The current device of a thread, for one scope.
#pragma once

#include <cuda_runtime.h>

namespace papo::cuda {

/// Makes `device` current and puts back what was current before: worker threads begin at device 0, and the main
/// thread's device may belong to another library.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device);
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

  /// Whether the device could be made current: its context may find no memory, or be broken.
  cudaError_t error() const { return error_; }

 private:
  int device_;
  int before_ = -1;
  cudaError_t error_;
};

/// Whether this process has a context on the device. Making a device current makes one, which takes hundreds of MB.
bool has_context(int device);

/// The first device that has one, for memory of no particular device; device 0 where none has.
int device_in_use();

}  // namespace papo::cuda
