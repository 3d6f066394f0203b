// What a launch plan needs to know of a GPU: its capability and its sizes.
#pragma once

#include <cstddef>

namespace papo::cuda {

struct Machine {
  int device = 0;
  int compute_major = 0;
  int compute_minor = 0;
  int multiprocessors = 0;
  std::size_t shared_per_block = 0;           ///< bytes a block can opt in to
  std::size_t shared_per_multiprocessor = 0;  ///< bytes
  std::size_t shared_reserved = 0;            ///< bytes the system keeps of each block's
  std::size_t l2_bytes = 0;
  bool clusters = false;
  bool cooperative = false;

  int capability() const { return 10 * compute_major + compute_minor; }
};

/// The machine of a device that `runtime()` lists.
const Machine& machine_of(int device);

}  // namespace papo::cuda
