// The sizes of the GPUs that can be simulated.
#pragma once

#include <cstddef>

#include "shim/cuda_types.h"
#include "shim/shim.hpp"

namespace papo::shim {

/// What the settings' device tells of itself; its name begins with "Simulated".
cudaDeviceProp properties_of(const Settings& settings);

/// Registers per thread that occupancy is reckoned with; how many a kernel really takes is the compiler's business.
inline constexpr int kAssumedRegisters = 64;
inline constexpr int kMultiprocessorsPerCluster = 16;  ///< a cluster does not leave its GPC

/// Blocks of `threads` and so much dynamic shared memory that one multiprocessor holds.
int resident_blocks(const cudaDeviceProp& machine, int threads, std::size_t shared_bytes);
/// Clusters of `size` such blocks that the whole device holds.
int resident_clusters(const cudaDeviceProp& machine, int threads, std::size_t shared_bytes,
                      int size);

}  // namespace papo::shim
