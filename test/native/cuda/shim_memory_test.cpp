// The shim on memory: what is not initialised, not ours, too much, or gone.
#include <cuda_runtime.h>

#include <cmath>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/shim_array.hpp"
#include "cuda/shim_launch.hpp"
#include "shim/dev.hpp"
#include "shim/shim.hpp"
#include "shim/verdict.hpp"

using papo::shim::contains;
using papo::shim::DeviceArray;
using papo::shim::report_of;
using papo::shim::survives;

namespace {

struct TouchArgs {
  float* global = nullptr;
  std::ptrdiff_t global_index = -1000;  ///< which number to write, if any
  std::ptrdiff_t shared_index = -1000;
  float* read_shared_to = nullptr;
  const void* vector = nullptr;
};

__global__ void touch_kernel(const __grid_constant__ TouchArgs args) {
  using namespace papo::dev;
  if (thread_index() != 0) return;
  auto* shared = reinterpret_cast<float*>(shared_memory());
  if (args.global_index != -1000) args.global[args.global_index] = 1;
  if (args.shared_index != -1000) shared[args.shared_index] = 1;
  if (args.read_shared_to != nullptr) *args.read_shared_to = shared[0];
  if (args.vector != nullptr) load_vector(args.vector);
}

/// True if the kernel does nothing wrong: run in a child, for ASan ends the process where we would report.
bool harmless(const TouchArgs& args) {
  return survives([&] { return report_of({1, 32, 64}, touch_kernel, args) == ""; }, nullptr, 0, 4);
}

}  // namespace

TEST_CASE("shim: a write outside of shared memory is noticed, on both sides") {
  TouchArgs args;
  for (const std::ptrdiff_t inside : {0, 15}) {
    args.shared_index = inside;
    CHECK(harmless(args));
  }
  for (const std::ptrdiff_t outside : {-1, 16, 30}) {
    args.shared_index = outside;
    CHECK_FALSE(harmless(args));
  }
}

TEST_CASE("shim: a write outside of device memory is noticed, on both sides") {
  const DeviceArray<float> numbers(25);
  TouchArgs args;
  args.global = numbers.data();
  for (const std::ptrdiff_t inside : {0, 24}) {
    args.global_index = inside;
    CHECK(harmless(args));
  }
  for (const std::ptrdiff_t outside : {-1, 25, 30}) {
    args.global_index = outside;
    CHECK_FALSE(harmless(args));
  }
}

TEST_CASE("shim: fresh memory is NaN") {
  const DeviceArray<float> fresh(8);
  for (const float value : fresh.read()) CHECK(std::isnan(value));
  TouchArgs args;
  args.read_shared_to = fresh.data();
  CHECK(report_of({1, 32, 64}, touch_kernel, args) == "");
  CHECK(std::isnan(fresh.read()[0]));
}

TEST_CASE("shim: a vector that is not aligned is reported with its place") {
  const DeviceArray<float> numbers(8);
  TouchArgs args;
  args.vector = numbers.data() + 1;
  const std::string report = report_of({1, 32, 64}, touch_kernel, args);
  CHECK(contains(report, "load_vector (shim_memory_test.cpp:"));
  CHECK(contains(report, "4 bytes beyond a multiple of 16"));
}

TEST_CASE("shim: memory is counted, and too much of it is refused") {
  papo::shim::Settings settings;
  settings.memory_bytes = 1 << 20;
  papo::shim::restart(settings);
  std::size_t free_bytes = 0, total_bytes = 0;
  void* first = nullptr;
  void* second = nullptr;
  REQUIRE(cudaMalloc(&first, 700 << 10) == cudaSuccess);
  CHECK(cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess);
  CHECK(total_bytes == 1 << 20);
  CHECK(free_bytes == 324 << 10);
  CHECK(cudaMalloc(&second, 325 << 10) == cudaErrorMemoryAllocation);
  CHECK(second == nullptr);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(cudaMalloc(&second, 324 << 10) == cudaSuccess);
  CHECK(papo::shim::live().device_allocations == 2);
  CHECK(cudaFree(first) == cudaSuccess);
  CHECK(cudaFree(first) == cudaErrorInvalidValue);
  CHECK(cudaFree(second) == cudaSuccess);
  CHECK(papo::shim::live().device_bytes == 0);
  papo::shim::restart();
}

TEST_CASE("shim: a pointer tells what it is, also from within") {
  const DeviceArray<char> device(100);
  char* pinned = nullptr;
  REQUIRE(cudaHostAlloc(&pinned, 100, cudaHostAllocPortable) == cudaSuccess);
  const int host = 0;
  cudaPointerAttributes attributes;
  CHECK(cudaPointerGetAttributes(&attributes, device.data() + 99) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeDevice);
  CHECK(attributes.device == 0);
  CHECK(cudaPointerGetAttributes(&attributes, device.data() + 100) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeUnregistered);
  CHECK(cudaPointerGetAttributes(&attributes, pinned + 50) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeHost);
  CHECK(cudaPointerGetAttributes(&attributes, &host) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeUnregistered);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
}

TEST_CASE("shim: copies check their kind and their ends") {
  const DeviceArray<char> device(100);
  char host[200] = {};
  CHECK(cudaMemcpy(device.data(), host, 100, cudaMemcpyHostToDevice) == cudaSuccess);
  CHECK(cudaMemcpy(device.data(), host, 101, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(device.data() + 60, host, 41, cudaMemcpyDefault) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(device.data(), host, 10, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy2D(device.data(), 25, host, 50, 20, 4, cudaMemcpyDefault) == cudaSuccess);
  CHECK(cudaMemcpy2D(device.data(), 25, host, 19, 20, 4, cudaMemcpyDefault) ==
        cudaErrorInvalidPitchValue);
  CHECK(cudaMemset(host, 0, 10) == cudaErrorInvalidValue);
  cudaGetLastError();
}
