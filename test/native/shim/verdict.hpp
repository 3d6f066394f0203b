// Whether a test would notice a fault: it is run in a child process, where it may fail, be reported, or crash.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "shim/faults.hpp"

namespace papo::shim {

/// Runs `passes` once per seed, in a process of its own, with `fault` planted (or none, if null).
/// True if every run answered true and nothing was reported, by the shim or by a sanitizer.
bool survives(const std::function<bool()>& passes, const Fault* fault, std::uint64_t first_seed,
              unsigned seeds);

/// The faults to try on the kernels that `passes` runs: each wait, meeting, copy, send or release left out; byte counts,
/// and the addresses of vectors written, off by one vector; a number too little shared memory.
std::vector<Fault> kernel_faults_of(const std::function<bool()>& passes);

/// The faults to try on the host's side: each kind of runtime call that fails silently when it is left out.
std::vector<Fault> call_faults_of(const std::function<bool()>& passes);

/// "barrier_wait at papo_loss.cu:123 left out"
std::string name_of(const Fault& fault);

}  // namespace papo::shim
