// Launches of small kernels in one line, and what the shim has to say of them.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "shim/report.hpp"

namespace papo::shim {

struct Grid {
  unsigned blocks = 1;
  unsigned threads = 32;
  std::size_t shared_bytes = 0;
  unsigned cluster = 1;
  bool cooperative = false;
};

template <typename Args>
cudaError_t launch(const Grid& grid, void (*kernel)(Args), Args args,
                   cudaStream_t stream = nullptr) {
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                       static_cast<int>(grid.shared_bytes));
  cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
  cudaLaunchAttribute attributes[2] = {};
  attributes[0].id = cudaLaunchAttributeCooperative;
  attributes[0].val.cooperative = grid.cooperative ? 1 : 0;
  attributes[1].id = cudaLaunchAttributeClusterDimension;
  attributes[1].val.clusterDim.x = grid.cluster;
  attributes[1].val.clusterDim.y = attributes[1].val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = stream;
  config.attrs = attributes;
  config.numAttrs = grid.cluster > 1 ? 2 : 1;
  return cudaLaunchKernelEx(&config, kernel, args);
}

/// What is wrong with the kernel; empty if nothing. The device is whole again afterwards.
template <typename Args>
std::string report_of(const Grid& grid, void (*kernel)(Args), Args args) {
  const QuietReports quiet;
  take_reports();
  const cudaError_t launched = launch(grid, kernel, args);
  if (launched != cudaSuccess) return cudaGetErrorName(launched);
  const cudaError_t ran = cudaDeviceSynchronize();
  cudaDeviceReset();
  cudaGetLastError();
  const std::string report = take_reports();
  // An error and its report come together or not at all.
  if ((ran == cudaErrorLaunchFailure) == report.empty()) return "an error without a report";
  return report;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace papo::shim
