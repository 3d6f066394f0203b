// What tests ask of the shim: which machine it simulates, which schedule it follows, what fails, what is still alive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "shim/cuda_types.h"

namespace papo::shim {

enum class Driver { ready, none, old, no_device };

/// One simulated machine with some equal GPUs.
struct Settings {
  std::string device = "h200";  ///< PAPO_SHIM_DEVICE: h200, b200, a100, l4, t4 or rtx5090
  int devices = 1;              ///< PAPO_SHIM_DEVICES
  int multiprocessors = 16;     ///< PAPO_SHIM_MULTIPROCESSORS; 0: as many as the real one has
  /// PAPO_SHIM_MEMORY, bytes of each device; kept small for the sake of the machine that simulates it.
  std::size_t memory_bytes = std::size_t{1} << 31;
  Driver driver = Driver::ready;  ///< PAPO_SHIM_DRIVER: ready, none, old or no-device
  std::uint64_t seed = 0;         ///< PAPO_SHIM_SEED
};

/// The defaults with what the environment says.
Settings settings_from_environment();

/// Forgets everything (memory, streams, errors) and begins again as a fresh process would.
void restart(const Settings& settings = settings_from_environment());

/// Schedules of all launches from now on; four seeds in a row differ in kind.
void set_seed(std::uint64_t seed);
std::uint64_t current_seed();

/// The `nth` call of `function` from now on ("cudaMalloc", "cudaLaunchKernelExC", ...) fails with `error`.
/// "execution" is the running of a kernel: what fails there is told by what waits for it, and stays.
void fail_next(const std::string& function, cudaError_t error, unsigned nth = 1);

/// What was made and not yet released.
struct Live {
  std::size_t device_bytes = 0;
  std::size_t device_allocations = 0;
  std::size_t pinned_bytes = 0;
  std::size_t pinned_allocations = 0;
  std::size_t streams = 0;
  std::size_t events = 0;
};
Live live();

/// Kernels that have run to their end since `restart`.
std::size_t kernels_run();

}  // namespace papo::shim
