#include "cuda/probe.hpp"

#include <cstdlib>

#include "cuda/check.hpp"

namespace papo::cuda {
namespace {

std::string show_version(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// A binary runs with any driver of its runtime's major version, or a later one.
std::string needed_driver(int runtime_version) {
  const int major = runtime_version / 1000;
  std::string text = std::to_string(major) + ".0";
  if (major == 12) text += " (driver 525 or newer)";
  if (major == 13) text += " (driver 580 or newer)";
  return text;
}

std::string reason(const Runtime& runtime, cudaError_t error) {
  if (runtime.driver_version == 0) {
    return "no NVIDIA driver was found; this binary needs one for CUDA " +
           needed_driver(runtime.runtime_version);
  }
  if (error == cudaErrorInsufficientDriver) {
    return "the NVIDIA driver supports CUDA " + show_version(runtime.driver_version) +
           ", this binary needs " + needed_driver(runtime.runtime_version);
  }
  if (error == cudaSuccess || error == cudaErrorNoDevice) {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    return "the NVIDIA driver found no device" +
           (visible == nullptr ? ""
                               : " (CUDA_VISIBLE_DEVICES is \"" + std::string(visible) + "\")");
  }
  return std::string("CUDA did not start: ") + cudaGetErrorName(error) + " (" +
         cudaGetErrorString(error) + ")";
}

cudaError_t describe(int device, DeviceDescription& description, Machine& machine) {
  cudaDeviceProp properties;
  cudaError_t error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess) return error;
  const auto attribute = [&](cudaDeviceAttr name) {
    int value = 0;
    const cudaError_t result = cudaDeviceGetAttribute(&value, name, device);
    if (result != cudaSuccess) error = result;
    return value;
  };
  const auto bytes = [&](cudaDeviceAttr name) { return static_cast<std::size_t>(attribute(name)); };
  machine.device = device;
  machine.compute_major = properties.major;
  machine.compute_minor = properties.minor;
  machine.multiprocessors = attribute(cudaDevAttrMultiProcessorCount);
  machine.shared_per_block = bytes(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  machine.shared_per_multiprocessor = bytes(cudaDevAttrMaxSharedMemoryPerMultiprocessor);
  machine.shared_reserved = bytes(cudaDevAttrReservedSharedMemoryPerBlock);
  machine.l2_bytes = bytes(cudaDevAttrL2CacheSize);
  machine.clusters = attribute(cudaDevAttrClusterLaunch) != 0;
  machine.cooperative = attribute(cudaDevAttrCooperativeLaunch) != 0;
  description = {device,           properties.name,         properties.major,
                 properties.minor, machine.multiprocessors, properties.totalGlobalMem,
                 machine.l2_bytes};
  return error;
}

}  // namespace

std::string too_old(const Machine& machine) {
  constexpr int kLeastCapability = 75;
  if (machine.capability() >= kLeastCapability) return {};
  return "its compute capability is " + std::to_string(machine.compute_major) + "." +
         std::to_string(machine.compute_minor) + ", this binary needs 7.5 or more";
}

Found probe() {
  Found found;
  Runtime& runtime = found.runtime;
  runtime.built = true;
  static_cast<void>(cudaRuntimeGetVersion(&runtime.runtime_version));
  static_cast<void>(cudaDriverGetVersion(&runtime.driver_version));
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  for (int device = 0; error == cudaSuccess && device < count; ++device) {
    DeviceDescription description;
    Machine machine;
    error = describe(device, description, machine);
    runtime.devices.push_back(description);
    found.machines.push_back(machine);
  }
  if (error != cudaSuccess || count == 0) {
    runtime.unavailable = reason(runtime, error);
    runtime.devices.clear();
    found.machines.clear();
  }
  static_cast<void>(cudaGetLastError());
  return found;
}

}  // namespace papo::cuda
