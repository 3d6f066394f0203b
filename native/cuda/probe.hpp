// Asking CUDA what there is.
#pragma once

#include <string>
#include <vector>

#include "cuda/backend.hpp"
#include "cuda/machine.hpp"

namespace papo::cuda {

struct Found {
  Runtime runtime;
  std::vector<Machine> machines;  ///< one for each of the runtime's devices
};

/// What there is now, found without making a context on any device. `runtime()` and `machine_of` keep the first answer.
Found probe();

/// Why no kernel of this binary runs there, as a clause; empty if they do.
std::string too_old(const Machine& machine);

}  // namespace papo::cuda
