#include <cuda_runtime.h>

#include "cpu/backend.hpp"
#include "cuda/backend.hpp"
#include "cuda/machine.hpp"
#include "direct.hpp"
#include "stages.hpp"

namespace papo::gpu {
namespace {

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

}  // namespace

json::Object machine_facts(int device) {
  const cuda::Runtime& runtime = cuda::runtime();
  const cuda::DeviceDescription& description = runtime.devices[static_cast<std::size_t>(device)];
  const cuda::Machine& machine = cuda::machine_of(device);
  cuda::MemoryInfo memory;
  require(cuda::memory_info("papo_gpu", device, memory));
  return json::Object()
      .set("gpu", description.name)
      .set("computeCapability", std::to_string(description.compute_major) + "." +
                                    std::to_string(description.compute_minor))
      .set("multiprocessors", description.multiprocessors)
      .set("memoryBytes", description.memory_bytes)
      .set("freeBytes", memory.free_bytes)
      .set("l2Bytes", description.l2_bytes)
      .set("sharedPerBlock", machine.shared_per_block)
      .set("sharedPerMultiprocessor", machine.shared_per_multiprocessor)
      .set("sharedReserved", machine.shared_reserved)
      .set("clusters", machine.clusters)
      .set("cooperative", machine.cooperative)
      .set("cudaRuntime", version(runtime.runtime_version))
      .set("driverSupports", version(runtime.driver_version))
      .set("papo", PAPO_VERSION)
      .set("cpuInstructions", cpu::name_of(cpu::active_isa()))
#ifdef __VERSION__
      .set("compiler", __VERSION__)
#endif
      ;
}

}  // namespace papo::gpu
