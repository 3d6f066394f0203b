// The one simulated runtime: beginning it, the frame of every call, and what tests ask.
#include "shim/runtime.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "shim/arena.hpp"
#include "shim/faults.hpp"
#include "shim/races.hpp"

namespace papo::shim {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == 0 ? otherwise : std::strtoull(text, nullptr, 10);
}

Driver driver_named(const std::string& name) {
  if (name.empty() || name == "ready") return Driver::ready;
  if (name == "none") return Driver::none;
  if (name == "old") return Driver::old;
  if (name == "no-device") return Driver::no_device;
  std::fprintf(stderr, "papo shim: there is no driver state \"%s\"\n", name.c_str());
  std::abort();
}

/// Errors that concern one call and not its device, whatever state that is in.
bool works_without_device(const std::string& name) {
  return name == "cudaDriverGetVersion" || name == "cudaRuntimeGetVersion" ||
         name == "cudaGetDriverEntryPointByVersion";
}

}  // namespace

Settings settings_from_environment() {
  Settings settings;
  const auto word = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text == nullptr ? "" : text);
  };
  if (!word("PAPO_SHIM_DEVICE").empty()) settings.device = word("PAPO_SHIM_DEVICE");
  settings.devices = static_cast<int>(number("PAPO_SHIM_DEVICES", 1));
  settings.multiprocessors = static_cast<int>(
      number("PAPO_SHIM_MULTIPROCESSORS", static_cast<std::uint64_t>(settings.multiprocessors)));
  settings.memory_bytes = number("PAPO_SHIM_MEMORY", settings.memory_bytes);
  settings.driver = driver_named(word("PAPO_SHIM_DRIVER"));
  settings.seed = number("PAPO_SHIM_SEED", 0);
  return settings;
}

Runtime& runtime() {
  // Never destroyed: threads of the host may still call while the process goes down.
  static Runtime* const instance = [] {
    auto* r = new Runtime;
    r->restart(settings_from_environment());
    return r;
  }();
  return *instance;
}

int& current_device() {
  thread_local int device = 0;
  return device;
}

void Runtime::restart(const Settings& wanted) {
  settings = wanted;
  for (auto& [address, allocation] : allocations) {
    forget_races_at(allocation.data);
    delete_arena(allocation.data);
  }
  allocations.clear();
  streams.clear();
  events.clear();
  injections.clear();
  all_streams.clear();
  devices.clear();
  launches = 0;
  kernels_run = 0;
  current_device() = 0;
  last_error = cudaSuccess;
  if (wanted.driver != Driver::ready) return;
  devices.resize(static_cast<std::size_t>(std::max(0, wanted.devices)));
  for (std::size_t i = 0; i < devices.size(); ++i) {
    devices[i].properties = properties_of(wanted);
    devices[i].default_stream = new_stream(static_cast<int>(i), true);
    devices[i].per_thread_stream = new_stream(static_cast<int>(i), true);
  }
}

StreamPtr Runtime::new_stream(int device, bool joins_default) {
  auto stream = std::make_shared<Stream>();
  stream->device = device;
  stream->joins_default = joins_default;
  all_streams.erase(std::remove_if(all_streams.begin(), all_streams.end(),
                                   [](const auto& weak) { return weak.expired(); }),
                    all_streams.end());
  all_streams.push_back(stream);
  return stream;
}

StreamPtr Runtime::find(cudaStream_t handle) {
  DeviceState& device = devices[static_cast<std::size_t>(current_device())];
  if (handle == nullptr || handle == cudaStreamLegacy) return device.default_stream;
  if (handle == cudaStreamPerThread) return device.per_thread_stream;
  const auto found = streams.find(handle);
  return found == streams.end() ? nullptr : found->second;
}

const Allocation* Runtime::allocation_of(const void* pointer) const {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin()) return nullptr;
  const Allocation& allocation = std::prev(after)->second;
  const std::uintptr_t begin = std::prev(after)->first;
  return address < begin + std::max<std::size_t>(allocation.bytes, 1) ? &allocation : nullptr;
}

cudaError_t remember(cudaError_t error) {
  // "Not ready" is an answer, not a failure.
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

cudaError_t injected(Runtime& r, const std::string& name) {
  for (std::size_t i = 0; i < r.injections.size(); ++i) {
    if (r.injections[i].function != name || --r.injections[i].nth != 0) continue;
    const cudaError_t error = r.injections[i].error;
    r.injections.erase(r.injections.begin() + static_cast<std::ptrdiff_t>(i));
    return error;
  }
  return cudaSuccess;
}

cudaError_t call(const char* name, const std::function<cudaError_t(Runtime&)>& body) {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  if (!works_without_device(name)) {
    if (r.settings.driver == Driver::none || r.settings.driver == Driver::old) {
      return remember(cudaErrorInsufficientDriver);
    }
    if (r.devices.empty()) return remember(cudaErrorNoDevice);
    if (std::string(name) != "cudaDeviceReset" && std::string(name) != "cudaGetDeviceCount" &&
        std::string(name) != "cudaSetDevice" && std::string(name) != "cudaGetDevice") {
      const auto& device = r.devices[static_cast<std::size_t>(current_device())];
      if (device.broken != cudaSuccess) return remember(device.broken);
    }
  }
  if (skipped(name, {})) return cudaSuccess;
  const cudaError_t planned = injected(r, name);
  return remember(planned != cudaSuccess ? planned : body(r));
}

void restart(const Settings& settings) {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  r.restart(settings);
}

void set_seed(std::uint64_t seed) {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  r.settings.seed = seed;
  r.launches = 0;
}

std::uint64_t current_seed() {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  return r.settings.seed;
}

void fail_next(const std::string& function, cudaError_t error, unsigned nth) {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  r.injections.push_back({function, error, nth});
}

Live live() {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  Live result;
  for (const auto& [address, allocation] : r.allocations) {
    (allocation.pinned ? result.pinned_bytes : result.device_bytes) += allocation.bytes;
    ++(allocation.pinned ? result.pinned_allocations : result.device_allocations);
  }
  result.streams = r.streams.size();
  result.events = r.events.size();
  return result;
}

std::size_t kernels_run() {
  Runtime& r = runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  return r.kernels_run;
}

}  // namespace papo::shim

extern "C" {

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  papo::shim::last_error = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError() {
  papo::shim::Runtime& r = papo::shim::runtime();
  const std::lock_guard<std::mutex> lock(r.mutex);
  const auto device = static_cast<std::size_t>(papo::shim::current_device());
  if (device < r.devices.size() && r.devices[device].broken != cudaSuccess) {
    return r.devices[device].broken;
  }
  return papo::shim::last_error;
}

}  // extern "C"
