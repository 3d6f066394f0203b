// Rows of memory in stream order: what `memory.hpp` offers with a wait, for those who wait themselves.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "cuda/memory.hpp"

namespace papo::cuda {

/// Zeros to `rows` runs of `row_bytes` on the current device.
cudaError_t enqueue_clear(const Area& area, std::size_t rows, std::size_t row_bytes,
                          cudaStream_t stream);

}  // namespace papo::cuda
