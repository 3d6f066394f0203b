// Waiting for a device.
#pragma once

#include <cuda_runtime.h>

namespace papo::cuda {

/// Waits for the work given to the stream so far, asleep: not for what other threads give it meanwhile, and without
/// a core spent on asking. The stream's device is current.
cudaError_t wait_for(cudaStream_t stream);

}  // namespace papo::cuda
