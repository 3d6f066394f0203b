// The runtime calls about devices: how many, which, how large, and their contexts.
#include <cstring>

#include "shim/runtime.hpp"

namespace papo::shim {
namespace {

constexpr int kVersion = 13000;
constexpr int kOldDriverVersion = 12040;

bool exists(const Runtime& r, int device) {
  return device >= 0 && static_cast<std::size_t>(device) < r.devices.size();
}

int attribute_of(const cudaDeviceProp& machine, cudaDeviceAttr attribute) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      return machine.maxThreadsPerBlock;
    case cudaDevAttrMaxGridDimX:
      return machine.maxGridSize[0];
    case cudaDevAttrMaxGridDimY:
      return machine.maxGridSize[1];
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return static_cast<int>(machine.sharedMemPerBlock);
    case cudaDevAttrWarpSize:
      return machine.warpSize;
    case cudaDevAttrMultiProcessorCount:
      return machine.multiProcessorCount;
    case cudaDevAttrL2CacheSize:
      return machine.l2CacheSize;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return machine.maxThreadsPerMultiProcessor;
    case cudaDevAttrUnifiedAddressing:
      return machine.unifiedAddressing;
    case cudaDevAttrComputeCapabilityMajor:
      return machine.major;
    case cudaDevAttrComputeCapabilityMinor:
      return machine.minor;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return static_cast<int>(machine.sharedMemPerMultiprocessor);
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return machine.regsPerMultiprocessor;
    case cudaDevAttrCooperativeLaunch:
      return machine.cooperativeLaunch;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return static_cast<int>(machine.sharedMemPerBlockOptin);
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      return machine.maxBlocksPerMultiProcessor;
    case cudaDevAttrReservedSharedMemoryPerBlock:
      return static_cast<int>(machine.reservedSharedMemPerBlock);
    case cudaDevAttrClusterLaunch:
      return machine.clusterLaunch;
  }
  return -1;
}

/// Stands for the driver's cuDevicePrimaryCtxGetState.
int primary_context_state(int device, unsigned* flags, int* active) {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  if (!exists(r, device)) return cudaErrorInvalidDevice;
  *flags = 0;
  *active = r.devices[static_cast<std::size_t>(device)].has_context ? 1 : 0;
  return 0;
}

}  // namespace
}  // namespace papo::shim

using papo::shim::call;
using papo::shim::Runtime;

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
  return call("cudaDriverGetVersion", [=](Runtime& r) {
    switch (r.settings.driver) {
      case papo::shim::Driver::none:
        *version = 0;
        break;
      case papo::shim::Driver::old:
        *version = papo::shim::kOldDriverVersion;
        break;
      default:
        *version = papo::shim::kVersion;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return call("cudaRuntimeGetVersion", [=](Runtime&) {
    *version = papo::shim::kVersion;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  return call("cudaGetDeviceCount", [=](Runtime& r) {
    *count = static_cast<int>(r.devices.size());
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return call("cudaGetDevice", [=](Runtime&) {
    *device = papo::shim::current_device();
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return call("cudaSetDevice", [=](Runtime& r) {
    if (!papo::shim::exists(r, device)) return cudaErrorInvalidDevice;
    papo::shim::current_device() = device;
    r.devices[static_cast<std::size_t>(device)].has_context = true;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call("cudaGetDeviceProperties", [=](Runtime& r) {
    if (!papo::shim::exists(r, device)) return cudaErrorInvalidDevice;
    *properties = r.devices[static_cast<std::size_t>(device)].properties;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return call("cudaDeviceGetAttribute", [=](Runtime& r) {
    if (!papo::shim::exists(r, device)) return cudaErrorInvalidDevice;
    *value =
        papo::shim::attribute_of(r.devices[static_cast<std::size_t>(device)].properties, attribute);
    return *value < 0 ? cudaErrorInvalidValue : cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call("cudaDeviceSynchronize", [](Runtime& r) {
    const int device = papo::shim::current_device();
    papo::shim::drain_device(r, device);
    return r.devices[static_cast<std::size_t>(device)].broken;
  });
}

cudaError_t cudaDeviceReset() {
  return call("cudaDeviceReset", [](Runtime& r) {
    r.devices[static_cast<std::size_t>(papo::shim::current_device())].broken = cudaSuccess;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  return call("cudaDeviceCanAccessPeer", [=](Runtime& r) {
    if (!papo::shim::exists(r, device) || !papo::shim::exists(r, peer)) {
      return cudaErrorInvalidDevice;
    }
    *can = device != peer ? 1 : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned int flags) {
  return call("cudaDeviceEnablePeerAccess", [=](Runtime& r) {
    const int device = papo::shim::current_device();
    if (flags != 0) return cudaErrorInvalidValue;
    if (!papo::shim::exists(r, peer) || peer == device) return cudaErrorInvalidDevice;
    const bool added = r.devices[static_cast<std::size_t>(device)].peers.insert(peer).second;
    return added ? cudaSuccess : cudaErrorPeerAccessAlreadyEnabled;
  });
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned int,
                                             unsigned long long,
                                             cudaDriverEntryPointQueryResult* result) {
  const bool found = std::strcmp(symbol, "cuDevicePrimaryCtxGetState") == 0;
  *function = found ? reinterpret_cast<void*>(papo::shim::primary_context_state) : nullptr;
  if (result != nullptr) {
    *result = found ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  }
  return found ? cudaSuccess : cudaErrorInvalidValue;
}

}  // extern "C"
