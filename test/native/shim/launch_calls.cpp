// Launches: what the runtime checks before a kernel may run, function attributes, and occupancy.
#include <algorithm>

#include "shim/faults.hpp"
#include "shim/grid.hpp"
#include "shim/memory.hpp"
#include "shim/report.hpp"
#include "shim/runtime.hpp"

namespace papo::shim {
namespace {

constexpr int kPortableCluster = 8;
constexpr int kLargestCluster = 16;

DeviceState& device_here(Runtime& r) {
  return r.devices[static_cast<std::size_t>(current_device())];
}

cudaFuncAttributes& attributes_of(DeviceState& device, const void* kernel) {
  const auto found = device.functions.find(kernel);
  if (found != device.functions.end()) return found->second;
  cudaFuncAttributes fresh = {};
  fresh.maxThreadsPerBlock = device.properties.maxThreadsPerBlock;
  fresh.numRegs = kAssumedRegisters;
  fresh.ptxVersion = fresh.binaryVersion = 10 * device.properties.major + device.properties.minor;
  fresh.maxDynamicSharedSizeBytes = static_cast<int>(device.properties.sharedMemPerBlock);
  return device.functions[kernel] = fresh;
}

cudaError_t read_attributes(const cudaLaunchConfig_t& config, LaunchShape& shape) {
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    const cudaLaunchAttribute& attribute = config.attrs[i];
    switch (attribute.id) {
      case cudaLaunchAttributeCooperative:
        shape.cooperative = attribute.val.cooperative != 0;
        break;
      case cudaLaunchAttributeClusterDimension:
        if (attribute.val.clusterDim.y != 1 || attribute.val.clusterDim.z != 1) {
          return cudaErrorInvalidClusterSize;
        }
        shape.cluster = attribute.val.clusterDim.x;
        break;
      case cudaLaunchAttributeIgnore:
      case cudaLaunchAttributePriority:
        break;
      default:
        return cudaErrorNotSupported;
    }
  }
  return cudaSuccess;
}

cudaError_t check_cluster(const DeviceState& device, const cudaFuncAttributes& function,
                          const LaunchShape& shape) {
  if (shape.cluster == 1) return cudaSuccess;
  if (device.properties.clusterLaunch == 0) return cudaErrorNotSupported;
  const int most = function.nonPortableClusterSizeAllowed != 0 ? kLargestCluster : kPortableCluster;
  const auto size = static_cast<int>(shape.cluster);
  if (size < 1 || size > most) return cudaErrorInvalidClusterSize;
  if (shape.grid_x % shape.cluster != 0) return cudaErrorInvalidConfiguration;
  const int resident = resident_clusters(device.properties, static_cast<int>(shape.threads),
                                         shape.shared_bytes, size);
  return resident > 0 ? cudaSuccess : cudaErrorInvalidClusterSize;
}

cudaError_t check_shape(const DeviceState& device, const cudaFuncAttributes& function,
                        const cudaLaunchConfig_t& config, const LaunchShape& shape) {
  const cudaDeviceProp& machine = device.properties;
  if (config.gridDim.z != 1 || config.blockDim.y != 1 || config.blockDim.z != 1) {
    return cudaErrorNotSupported;  // by the shim
  }
  if (shape.grid_x == 0 || shape.grid_y == 0 || shape.threads == 0 ||
      shape.grid_x > static_cast<unsigned>(machine.maxGridSize[0]) ||
      shape.grid_y > static_cast<unsigned>(machine.maxGridSize[1]) ||
      shape.threads > static_cast<unsigned>(machine.maxThreadsPerBlock)) {
    return cudaErrorInvalidConfiguration;
  }
  if (shape.shared_bytes > static_cast<std::size_t>(function.maxDynamicSharedSizeBytes)) {
    return cudaErrorInvalidValue;
  }
  const cudaError_t error = check_cluster(device, function, shape);
  if (error != cudaSuccess) return error;
  const int resident =
      resident_blocks(machine, static_cast<int>(shape.threads), shape.shared_bytes);
  if (resident == 0) return cudaErrorLaunchOutOfResources;
  if (shape.cooperative &&
      shape.blocks() > static_cast<unsigned>(resident * machine.multiProcessorCount)) {
    return cudaErrorCooperativeLaunchTooLarge;
  }
  return cudaSuccess;
}

/// Runs the grid now; a kernel that is found wrong breaks the device, as a fault on a GPU does.
cudaError_t execute(Runtime& r, int device, LaunchShape shape, const KernelCall& kernel) {
  const cudaError_t planned = injected(r, "execution");
  if (planned != cudaSuccess) return planned;
  const int excess = shim::excess("shared_memory", {});
  if (static_cast<std::ptrdiff_t>(shape.shared_bytes) + excess >= 0) {
    shape.shared_bytes += static_cast<std::size_t>(excess);
  }
  const DeviceAccess access(device);
  begin_race_launch();
  std::string failure = run_grid(shape, kernel, r.settings.seed + 4 * r.launches++);
  if (failure.empty()) failure = broken_fence();
  if (failure.empty()) {
    ++r.kernels_run;
    return cudaSuccess;
  }
  report(
      text("a grid of %u x %u blocks of %u threads (clusters of %u, %zu shared bytes, seed %u): ",
           shape.grid_x, shape.grid_y, shape.threads, shape.cluster, shape.shared_bytes,
           static_cast<unsigned>(r.settings.seed)) +
      failure);
  return cudaErrorLaunchFailure;
}

LaunchShape shape_of(const DeviceState& device, const cudaLaunchConfig_t& config) {
  LaunchShape shape;
  shape.grid_x = config.gridDim.x;
  shape.grid_y = config.gridDim.y;
  shape.threads = config.blockDim.x;
  shape.shared_bytes = config.dynamicSmemBytes;
  shape.capability = 10 * device.properties.major + device.properties.minor;
  return shape;
}

}  // namespace

void know_kernel(const void* kernel, Binder binder) {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  r.kernels[kernel] = binder;
}

}  // namespace papo::shim

using papo::shim::call;
using papo::shim::LaunchShape;
using papo::shim::Runtime;

extern "C" {

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel,
                                void** arguments) {
  return call("cudaLaunchKernelExC", [=](Runtime& r) {
    papo::shim::DeviceState& device = papo::shim::device_here(r);
    const papo::shim::StreamPtr stream = r.find(config->stream);
    if (stream == nullptr || stream->device != papo::shim::current_device()) {
      return cudaErrorInvalidResourceHandle;
    }
    const auto known = r.kernels.find(kernel);
    if (known == r.kernels.end()) return cudaErrorInvalidDeviceFunction;
    LaunchShape shape = papo::shim::shape_of(device, *config);
    cudaError_t error = papo::shim::read_attributes(*config, shape);
    if (error == cudaSuccess) {
      error = papo::shim::check_shape(device, papo::shim::attributes_of(device, kernel), *config,
                                      shape);
    }
    if (error != cudaSuccess) return error;
    papo::shim::Work work;
    work.run = [&r, device = stream->device, shape, body = known->second(kernel, arguments)] {
      return papo::shim::execute(r, device, shape, body);
    };
    papo::shim::enqueue(r, stream, std::move(work));
    return cudaSuccess;
  });
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return call("cudaFuncSetAttribute", [=](Runtime& r) {
    papo::shim::DeviceState& device = papo::shim::device_here(r);
    cudaFuncAttributes& attributes = papo::shim::attributes_of(device, kernel);
    switch (attribute) {
      case cudaFuncAttributeMaxDynamicSharedMemorySize:
        if (value < 0 || static_cast<size_t>(value) > device.properties.sharedMemPerBlockOptin) {
          return cudaErrorInvalidValue;
        }
        attributes.maxDynamicSharedSizeBytes = value;
        return cudaSuccess;
      case cudaFuncAttributeNonPortableClusterSizeAllowed:
        attributes.nonPortableClusterSizeAllowed = value;
        return cudaSuccess;
      case cudaFuncAttributePreferredSharedMemoryCarveout:
        return value < -1 || value > 100 ? cudaErrorInvalidValue : cudaSuccess;
    }
    return cudaErrorInvalidValue;
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return call("cudaFuncGetAttributes", [=](Runtime& r) {
    *attributes = papo::shim::attributes_of(papo::shim::device_here(r), kernel);
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel,
                                                          int threads, size_t shared_bytes) {
  return call("cudaOccupancyMaxActiveBlocksPerMultiprocessor", [=](Runtime& r) {
    papo::shim::DeviceState& device = papo::shim::device_here(r);
    const cudaFuncAttributes& function = papo::shim::attributes_of(device, kernel);
    const bool allowed = shared_bytes <= static_cast<size_t>(function.maxDynamicSharedSizeBytes);
    *blocks = allowed ? papo::shim::resident_blocks(device.properties, threads, shared_bytes) : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveClusters(int* clusters, const void* kernel,
                                           const cudaLaunchConfig_t* config) {
  return call("cudaOccupancyMaxActiveClusters", [=](Runtime& r) {
    papo::shim::DeviceState& device = papo::shim::device_here(r);
    const cudaFuncAttributes& function = papo::shim::attributes_of(device, kernel);
    LaunchShape shape = papo::shim::shape_of(device, *config);
    *clusters = 0;
    cudaError_t error = papo::shim::read_attributes(*config, shape);
    if (error == cudaSuccess && device.properties.clusterLaunch == 0) error = cudaErrorNotSupported;
    if (error != cudaSuccess) return error;
    const bool portable = shape.cluster <= papo::shim::kPortableCluster;
    if (!portable && function.nonPortableClusterSizeAllowed == 0) {
      return cudaErrorInvalidClusterSize;
    }
    if (shape.shared_bytes > static_cast<size_t>(function.maxDynamicSharedSizeBytes)) {
      return cudaSuccess;
    }
    *clusters = papo::shim::resident_clusters(device.properties, static_cast<int>(shape.threads),
                                              shape.shared_bytes, static_cast<int>(shape.cluster));
    return cudaSuccess;
  });
}

}  // extern "C"
