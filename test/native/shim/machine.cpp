// Properties of the simulated GPUs, as NVIDIA publishes them, and how many blocks fit.
#include "shim/machine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace papo::shim {
namespace {

struct Model {
  const char* key;
  const char* name;
  int major, minor;
  int multiprocessors;
  int threads;  ///< resident per multiprocessor
  int blocks;   ///< the same
  int shared_kib;
  int opt_in_kib;
  int reserved_bytes;
  int l2_kib;
};

constexpr Model kModels[] = {
    {"h200", "Simulated H200", 9, 0, 132, 2048, 32, 228, 227, 1024, 61440},
    {"b200", "Simulated B200", 10, 0, 148, 2048, 32, 228, 227, 1024, 129024},
    {"a100", "Simulated A100", 8, 0, 108, 2048, 32, 164, 163, 1024, 40960},
    {"l4", "Simulated L4", 8, 9, 58, 1536, 24, 100, 99, 1024, 49152},
    {"t4", "Simulated T4", 7, 5, 40, 1024, 16, 64, 64, 0, 4096},
    {"rtx5090", "Simulated RTX 5090", 12, 0, 170, 1536, 24, 100, 99, 1024, 98304},
};

const Model& model_of(const std::string& key) {
  for (const Model& model : kModels) {
    if (key == model.key) return model;
  }
  std::fprintf(stderr, "papo shim: there is no device \"%s\" to simulate\n", key.c_str());
  std::abort();
}

}  // namespace

cudaDeviceProp properties_of(const Settings& settings) {
  const Model& model = model_of(settings.device);
  cudaDeviceProp machine = {};
  std::snprintf(machine.name, sizeof machine.name, "%s", model.name);
  machine.totalGlobalMem = settings.memory_bytes;
  machine.sharedMemPerBlock = 48 * 1024;
  machine.regsPerBlock = 65536;
  machine.warpSize = 32;
  machine.maxThreadsPerBlock = 1024;
  machine.maxThreadsDim[0] = machine.maxThreadsDim[1] = 1024;
  machine.maxThreadsDim[2] = 64;
  machine.maxGridSize[0] = 2147483647;
  machine.maxGridSize[1] = machine.maxGridSize[2] = 65535;
  machine.major = model.major;
  machine.minor = model.minor;
  machine.multiProcessorCount =
      settings.multiprocessors > 0 ? settings.multiprocessors : model.multiprocessors;
  machine.unifiedAddressing = 1;
  machine.l2CacheSize = model.l2_kib * 1024;
  machine.maxThreadsPerMultiProcessor = model.threads;
  machine.sharedMemPerMultiprocessor = static_cast<size_t>(model.shared_kib) * 1024;
  machine.regsPerMultiprocessor = 65536;
  machine.cooperativeLaunch = 1;
  machine.sharedMemPerBlockOptin = static_cast<size_t>(model.opt_in_kib) * 1024;
  machine.maxBlocksPerMultiProcessor = model.blocks;
  machine.reservedSharedMemPerBlock = static_cast<size_t>(model.reserved_bytes);
  machine.clusterLaunch = model.major >= 9 ? 1 : 0;
  return machine;
}

int resident_blocks(const cudaDeviceProp& machine, int threads, std::size_t shared_bytes) {
  if (threads <= 0 || threads > machine.maxThreadsPerBlock) return 0;
  if (shared_bytes > machine.sharedMemPerBlockOptin) return 0;
  const int whole_warps = (threads + 31) / 32 * 32;
  const std::size_t shared = shared_bytes + machine.reservedSharedMemPerBlock;
  int blocks = std::min(machine.maxBlocksPerMultiProcessor,
                        machine.maxThreadsPerMultiProcessor / whole_warps);
  blocks = std::min(blocks, machine.regsPerMultiprocessor / (kAssumedRegisters * whole_warps));
  if (shared > 0) {
    blocks = std::min(blocks, static_cast<int>(machine.sharedMemPerMultiprocessor / shared));
  }
  return blocks;
}

int resident_clusters(const cudaDeviceProp& machine, int threads, std::size_t shared_bytes,
                      int size) {
  if (machine.clusterLaunch == 0 || size <= 0) return 0;
  const int blocks = resident_blocks(machine, threads, shared_bytes);
  int clusters = 0;
  for (int left = machine.multiProcessorCount; left > 0; left -= kMultiprocessorsPerCluster) {
    clusters += std::min(left, kMultiprocessorsPerCluster) * blocks / size;
  }
  return clusters;
}

}  // namespace papo::shim
