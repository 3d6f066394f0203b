// The optional CUDA backend: its kernels and its devices.
#pragma once

#include <string>
#include <vector>

#include "ops/registry.hpp"

namespace papo::cuda {

struct DeviceDescription {
  int index;
  std::string name;
};

void register_cuda_kernels(Registry& registry);
std::vector<DeviceDescription> devices();
/// Why there is no device, as a clause ("built without CUDA"); empty if there is one.
std::string unavailable_reason();

}  // namespace papo::cuda
