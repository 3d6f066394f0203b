// The optional CUDA backend: what this process has of it, and its kernels. No CUDA type appears in this room's
// headers that others include, so that the null backend (`unavailable.cpp`) can stand in for all of them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ops/registry.hpp"

namespace papo::cuda {

struct DeviceDescription {
  int index = 0;
  std::string name;
  int compute_major = 0;
  int compute_minor = 0;
  int multiprocessors = 0;
  std::size_t memory_bytes = 0;
  std::size_t l2_bytes = 0;
};

/// What was found when first asked; probed once per process and never again.
struct Runtime {
  bool built = false;
  /// As CUDA writes them: 1000 * major + 10 * minor; 0 where there is none.
  int runtime_version = 0;
  int driver_version = 0;
  std::vector<DeviceDescription> devices;
  /// Why there is no device, as a clause ("built without CUDA", "no NVIDIA driver …"); empty if there is one.
  std::string unavailable;
};

const Runtime& runtime();
void register_cuda_kernels(Registry& registry);

/// Ok if `cuda:<device>` is there; otherwise why not, after "[where]".
Status check_device(const std::string& where, int device);

inline Status not_available(const std::string& where, int device, const std::string& reason) {
  return {Code::device_unavailable, "[" + where + "] " + name_of(Device{DeviceKind::cuda, device}) +
                                        " is not available: " + reason};
}

}  // namespace papo::cuda
