#include "host_machine.hpp"

#include <cstdlib>

#include <doctest/doctest.h>

#include "cuda/backend.hpp"
#include "cuda/device_guard.hpp"
#include "cuda/workspace.hpp"

namespace papo::cuda {
namespace {

constexpr int kDevices = 2;

/// The engine asks once per process what machine this is: before any test, so that all of them agree.
const bool asked = [] {
  setenv("PAPO_SHIM_DEVICES", std::to_string(kDevices).c_str(), 0);
  shim::restart();
  return runtime().devices.size() == kDevices;
}();

void release_everything() {
  for (int device = 0; device < kDevices; ++device) {
    const DeviceGuard guard(device);
    release_workspaces(device);
  }
}

}  // namespace

FreshMachine::FreshMachine(std::size_t memory_bytes) {
  REQUIRE(asked);
  release_everything();
  shim::Settings settings = shim::settings_from_environment();
  settings.devices = kDevices;
  settings.memory_bytes = memory_bytes;
  shim::restart(settings);
}

FreshMachine::~FreshMachine() {
  release_everything();
  shim::restart();
}

}  // namespace papo::cuda
