// The shim as a machine: driver states, devices and their limits, launches that are refused, errors that stay.
#include <cuda_runtime.h>

#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/shim_array.hpp"
#include "cuda/shim_launch.hpp"
#include "shim/dev.hpp"
#include "shim/shim.hpp"

using papo::shim::contains;
using papo::shim::DeviceArray;
using papo::shim::Driver;
using papo::shim::Grid;
using papo::shim::launch;
using papo::shim::report_of;
using papo::shim::restart;
using papo::shim::Settings;

namespace {

__global__ void idle_kernel(const __grid_constant__ int) {}

__global__ void cluster_kernel(const __grid_constant__ int) {
  papo::dev::cluster_arrive_relaxed();
  papo::dev::cluster_wait();
}

struct WriteArgs {
  int* to;
};
__global__ void write_kernel(const __grid_constant__ WriteArgs args) { *args.to = 1; }

/// Settings of one kind of device.
Settings device(const std::string& name, int multiprocessors = 16) {
  Settings settings;
  settings.device = name;
  settings.multiprocessors = multiprocessors;
  return settings;
}

cudaError_t launch_idle(const Grid& grid) {
  const cudaError_t error = launch(grid, idle_kernel, 0);
  cudaGetLastError();
  return error;
}

}  // namespace

TEST_CASE("shim: a driver that is missing, old or without a device says so to every call") {
  struct Case {
    Driver driver;
    cudaError_t error;
    int version;
  };
  for (const Case& one : {Case{Driver::none, cudaErrorInsufficientDriver, 0},
                          Case{Driver::old, cudaErrorInsufficientDriver, 12040},
                          Case{Driver::no_device, cudaErrorNoDevice, 13000}}) {
    Settings settings;
    settings.driver = one.driver;
    restart(settings);
    int version = -1, count = -1;
    void* memory = nullptr;
    CHECK(cudaDriverGetVersion(&version) == cudaSuccess);
    CHECK(version == one.version);
    CHECK(cudaGetDeviceCount(&count) == one.error);
    CHECK(count == 0);
    CHECK(cudaMalloc(&memory, 16) == one.error);
    CHECK(cudaDeviceSynchronize() == one.error);
  }
  restart();
}

TEST_CASE("shim: a device has the sizes of the one it is named after") {
  restart(device("a100", 0));
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0) == cudaSuccess);
  CHECK(std::string(properties.name) == "Simulated A100");
  CHECK(properties.major == 8);
  CHECK(properties.multiProcessorCount == 108);
  CHECK(properties.clusterLaunch == 0);
  int opt_in = 0;
  CHECK(cudaDeviceGetAttribute(&opt_in, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0) == cudaSuccess);
  CHECK(opt_in == 163 * 1024);
  CHECK(cudaGetDeviceProperties(&properties, 1) == cudaErrorInvalidDevice);
  restart();
}

TEST_CASE("shim: launches beyond the limits are refused") {
  restart();
  CHECK(launch_idle({1, 1024}) == cudaSuccess);
  CHECK(launch_idle({1, 1025}) == cudaErrorInvalidConfiguration);
  CHECK(launch_idle({0, 32}) == cudaErrorInvalidConfiguration);
  CHECK(launch_idle({1, 32, 227 * 1024}) == cudaSuccess);
  CHECK(launch_idle({1, 32, 227 * 1024 + 16}) == cudaErrorInvalidValue);
  CHECK(launch_idle({16, 32, 0, 16}) == cudaSuccess);
  CHECK(launch_idle({32, 32, 0, 32}) == cudaErrorInvalidClusterSize);
  CHECK(launch_idle({9, 32, 0, 8}) == cudaErrorInvalidConfiguration);
  // 64 assumed registers let a multiprocessor hold one block of 1024 threads, 16 multiprocessors 16.
  CHECK(launch_idle({16, 1024, 0, 1, true}) == cudaSuccess);
  CHECK(launch_idle({17, 1024, 0, 1, true}) == cudaErrorCooperativeLaunchTooLarge);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("shim: shared memory beyond 48 KiB and clusters beyond 8 are asked for first") {
  restart();
  cudaLaunchConfig_t config = {};
  config.gridDim = 16;
  config.blockDim = 32;
  config.dynamicSmemBytes = 48 * 1024 + 16;
  CHECK(cudaLaunchKernelEx(&config, idle_kernel, 0) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(idle_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 50000) ==
        cudaSuccess);
  CHECK(cudaLaunchKernelEx(&config, idle_kernel, 0) == cudaSuccess);
  cudaLaunchAttribute cluster = {};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = 16;
  cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
  config.attrs = &cluster;
  config.numAttrs = 1;
  CHECK(cudaLaunchKernelEx(&config, idle_kernel, 0) == cudaErrorInvalidClusterSize);
  CHECK(cudaFuncSetAttribute(idle_kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1) ==
        cudaSuccess);
  CHECK(cudaLaunchKernelEx(&config, idle_kernel, 0) == cudaSuccess);
  cudaGetLastError();
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  restart();
}

TEST_CASE("shim: a device without clusters refuses them, and kernels that think they are in one") {
  restart(device("a100"));
  CHECK(launch_idle({2, 32, 0, 2}) == cudaErrorNotSupported);
  CHECK(contains(report_of({1, 32}, cluster_kernel, 0), "compute capability 9.0"));
  restart();
}

TEST_CASE("shim: occupancy follows threads, shared memory and the clusters' bounds") {
  restart(device("h200", 0));
  int blocks = 0;
  cudaFuncSetAttribute(idle_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024);
  const auto fits = [&](int threads, std::size_t bytes) {
    CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, idle_kernel, threads, bytes) ==
          cudaSuccess);
    return blocks;
  };
  CHECK(fits(256, 0) == 4);
  CHECK(fits(256, 76800) == 3);
  CHECK(fits(256, 76800 + 16) == 2);
  CHECK(fits(256, 227 * 1024) == 1);
  cudaLaunchAttribute cluster = {};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = 8;
  cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = 8;
  config.blockDim = 256;
  config.dynamicSmemBytes = 227 * 1024;
  config.attrs = &cluster;
  config.numAttrs = 1;
  int clusters = -1;
  CHECK(cudaOccupancyMaxActiveClusters(&clusters, idle_kernel, &config) == cudaSuccess);
  CHECK(clusters == 16);
  config.dynamicSmemBytes = 75 * 1024 - 1024;
  CHECK(cudaOccupancyMaxActiveClusters(&clusters, idle_kernel, &config) == cudaSuccess);
  CHECK(clusters == 49);
  cluster.val.clusterDim.x = 16;
  CHECK(cudaOccupancyMaxActiveClusters(&clusters, idle_kernel, &config) ==
        cudaErrorInvalidClusterSize);
  restart();
}

TEST_CASE("shim: devices have memory, streams and broken states of their own") {
  Settings settings;
  settings.devices = 2;
  restart(settings);
  int* memory = nullptr;
  cudaStream_t stream = nullptr;
  CHECK(cudaSetDevice(2) == cudaErrorInvalidDevice);
  CHECK(cudaSetDevice(1) == cudaSuccess);
  CHECK(cudaMalloc(&memory, 64) == cudaSuccess);
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  cudaPointerAttributes attributes;
  CHECK(cudaPointerGetAttributes(&attributes, memory) == cudaSuccess);
  CHECK(attributes.device == 1);
  CHECK(launch({1, 1}, write_kernel, WriteArgs{memory}, stream) == cudaSuccess);
  CHECK(cudaSetDevice(0) == cudaSuccess);
  CHECK(launch({1, 1}, write_kernel, WriteArgs{memory}, stream) == cudaErrorInvalidResourceHandle);
  int number = 0;
  CHECK(cudaStreamGetDevice(stream, &number) == cudaSuccess);
  CHECK(number == 1);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(cudaSetDevice(1) == cudaSuccess);
  papo::shim::fail_next("execution", cudaErrorIllegalAddress);
  CHECK(launch({1, 1}, write_kernel, WriteArgs{memory}, stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
  CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
  CHECK(cudaSetDevice(0) == cudaSuccess);
  cudaGetLastError();
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(cudaGetLastError() == cudaSuccess);
  restart();
}

TEST_CASE("shim: calls fail when they are told to, once") {
  restart();
  papo::shim::fail_next("cudaMalloc", cudaErrorMemoryAllocation, 2);
  void* memory[3] = {};
  CHECK(cudaMalloc(&memory[0], 16) == cudaSuccess);
  CHECK(cudaMalloc(&memory[1], 16) == cudaErrorMemoryAllocation);
  CHECK(cudaMalloc(&memory[2], 16) == cudaSuccess);
  CHECK(std::strcmp(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation") == 0);
  CHECK(std::strcmp(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory") == 0);
  cudaGetLastError();
  restart();
}
