// What the engine finds when it asks for GPUs, and what it says when there is none.
#include <cuda_runtime.h>

#include <cstdlib>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "cuda/check.hpp"
#include "cuda/device_guard.hpp"
#include "cuda/machine.hpp"
#include "cuda/probe.hpp"
#include "host_machine.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

/// What is found on a machine of these settings; `fail` names a call that goes wrong there.
Found found_on(const shim::Settings& settings, const char* fail = nullptr,
               cudaError_t error = cudaErrorUnknown) {
  const FreshMachine machine;
  shim::restart(settings);
  if (fail != nullptr) shim::fail_next(fail, error);
  Found found = probe();
  CHECK(cudaGetLastError() == cudaSuccess);
  return found;
}

shim::Settings with_driver(shim::Driver driver) {
  shim::Settings settings;
  settings.driver = driver;
  return settings;
}

}  // namespace

TEST_CASE("devices are described by what CUDA says of them") {
  shim::Settings settings;
  settings.device = "a100";
  settings.devices = 2;
  settings.multiprocessors = 0;
  settings.memory_bytes = std::size_t{1} << 30;
  const Found found = found_on(settings);
  CHECK(found.runtime.built);
  CHECK(found.runtime.unavailable.empty());
  CHECK(found.runtime.runtime_version == 13000);
  CHECK(found.runtime.driver_version == 13000);
  REQUIRE(found.runtime.devices.size() == 2);
  const DeviceDescription& second = found.runtime.devices[1];
  CHECK(second.index == 1);
  CHECK(second.name == "Simulated A100");
  CHECK(second.compute_major == 8);
  CHECK(second.compute_minor == 0);
  CHECK(second.multiprocessors == 108);
  CHECK(second.memory_bytes == std::size_t{1} << 30);
  CHECK(second.l2_bytes == std::size_t{40} << 20);
  REQUIRE(found.machines.size() == 2);
  const Machine& machine = found.machines[1];
  CHECK(machine.device == 1);
  CHECK(machine.capability() == 80);
  CHECK(machine.multiprocessors == 108);
  CHECK(machine.shared_per_block == 163 * 1024);
  CHECK(machine.shared_per_multiprocessor == 164 * 1024);
  CHECK(machine.shared_reserved == 1024);
  CHECK(machine.l2_bytes == second.l2_bytes);
  CHECK_FALSE(machine.clusters);
  CHECK(machine.cooperative);
}

TEST_CASE("asking what there is makes no context on any device") {
  const FreshMachine machine;
  CHECK(probe().runtime.devices.size() == 2);
  CHECK_FALSE(has_context(0));
  CHECK_FALSE(has_context(1));
}

TEST_CASE("without a driver, the one that is needed is named") {
  const Found found = found_on(with_driver(shim::Driver::none));
  CHECK(found.runtime.built);
  CHECK(found.runtime.runtime_version == 13000);
  CHECK(found.runtime.driver_version == 0);
  CHECK(found.runtime.devices.empty());
  CHECK(found.machines.empty());
  CHECK(found.runtime.unavailable ==
        "no NVIDIA driver was found; this binary needs one for CUDA 13.0 (driver 580 or newer)");
}

TEST_CASE("a driver that is too old is named, and the one that is needed") {
  const Found found = found_on(with_driver(shim::Driver::old));
  CHECK(found.runtime.driver_version == 12040);
  CHECK(found.runtime.unavailable ==
        "the NVIDIA driver supports CUDA 12.4, this binary needs 13.0 (driver 580 or newer)");
}

TEST_CASE("a driver without a device says so, and what hides devices") {
  unsetenv("CUDA_VISIBLE_DEVICES");
  CHECK(found_on(with_driver(shim::Driver::no_device)).runtime.unavailable ==
        "the NVIDIA driver found no device");
  setenv("CUDA_VISIBLE_DEVICES", "-1", 1);
  CHECK(found_on(with_driver(shim::Driver::no_device)).runtime.unavailable ==
        "the NVIDIA driver found no device (CUDA_VISIBLE_DEVICES is \"-1\")");
  unsetenv("CUDA_VISIBLE_DEVICES");
}

TEST_CASE("anything else that keeps CUDA from starting is told in CUDA's words") {
  const std::string sentence =
      "CUDA did not start: cudaErrorSystemDriverMismatch (system has unsupported display driver / "
      "cuda driver combination)";
  CHECK(found_on({}, "cudaGetDeviceCount", cudaErrorSystemDriverMismatch).runtime.unavailable ==
        sentence);
  const Found half = found_on({}, "cudaGetDeviceProperties", cudaErrorSystemDriverMismatch);
  CHECK(half.runtime.unavailable == sentence);
  CHECK(half.runtime.devices.empty());
  CHECK(half.machines.empty());
  CHECK_FALSE(found_on({}, "cudaDeviceGetAttribute", cudaErrorUnknown).runtime.unavailable.empty());
}

TEST_CASE("a device older than the oldest kernels says what they need") {
  Machine machine;
  machine.compute_major = 7;
  machine.compute_minor = 0;
  CHECK(too_old(machine) == "its compute capability is 7.0, this binary needs 7.5 or more");
  machine.compute_minor = 5;
  CHECK(too_old(machine).empty());
  machine.compute_major = 12;
  machine.compute_minor = 0;
  CHECK(too_old(machine).empty());
}

TEST_CASE("the answer is kept for the process") {
  const FreshMachine machine;
  CHECK(&runtime() == &runtime());
  REQUIRE(runtime().devices.size() == 2);
  CHECK(machine_of(1).device == 1);
  CHECK(check_device("test", 0).ok());
  CHECK(check_device("test", 1).ok());
}

TEST_CASE("a device guard gives the thread its device back") {
  const FreshMachine machine;
  int device = -1;
  REQUIRE(cudaSetDevice(0) == cudaSuccess);
  {
    const DeviceGuard guard(1);
    CHECK(guard.error() == cudaSuccess);
    REQUIRE(cudaGetDevice(&device) == cudaSuccess);
    CHECK(device == 1);
    const DeviceGuard inner(0);
    REQUIRE(cudaGetDevice(&device) == cudaSuccess);
    CHECK(device == 0);
  }
  REQUIRE(cudaGetDevice(&device) == cudaSuccess);
  CHECK(device == 0);
}

TEST_CASE("work on one device makes no context on another") {
  const FreshMachine machine;
  std::thread([] {
    const DeviceGuard guard(1);
    CHECK(guard.error() == cudaSuccess);
  }).join();
  CHECK(has_context(1));
  CHECK_FALSE(has_context(0));
  CHECK(device_in_use() == 1);
}

TEST_CASE("a device that cannot be made current says why") {
  const FreshMachine machine;
  shim::fail_next("cudaSetDevice", cudaErrorMemoryAllocation);
  const DeviceGuard guard(1);
  CHECK(guard.error() == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
}

TEST_CASE("errors that nothing cures say so, and out of memory has its own code") {
  const FreshMachine machine;
  const Status broken = failure("papoLoss", 1, "finish", cudaErrorIllegalAddress);
  CHECK(broken.code() == Code::cuda);
  CHECK(broken.message() ==
        "[papoLoss] expected cuda:1 to finish, received cudaErrorIllegalAddress (an illegal memory "
        "access was encountered); CUDA works again only in a new process");
  const Status full = failure("papoLoss", 0, "launch its kernel", cudaErrorMemoryAllocation);
  CHECK(full.code() == Code::out_of_memory);
  CHECK(full.message() ==
        "[papoLoss] expected cuda:0 to launch its kernel, received cudaErrorMemoryAllocation (out "
        "of memory)");
  CHECK(check("papoLoss", 0, "launch its kernel", cudaSuccess).ok());
}

TEST_CASE("bytes are shown exactly and roughly") {
  CHECK(show_bytes(0) == "0 bytes");
  CHECK(show_bytes(1) == "1 byte");
  CHECK(show_bytes(1023) == "1023 bytes");
  CHECK(show_bytes(1536) == "1536 bytes (1.5 KiB)");
  CHECK(show_bytes(2491416576) == "2491416576 bytes (2.32 GiB)");
}
