#include "cuda/wait.hpp"

namespace papo::cuda {

cudaError_t wait_for(cudaStream_t stream) {
  cudaEvent_t event = nullptr;
  cudaError_t error =
      cudaEventCreateWithFlags(&event, cudaEventBlockingSync | cudaEventDisableTiming);
  // Whatever went wrong, nobody may take back memory that the device still works on.
  if (error != cudaSuccess) return cudaStreamSynchronize(stream);
  error = cudaEventRecord(event, stream);
  if (error == cudaSuccess) {
    error = cudaEventSynchronize(event);
  } else {
    static_cast<void>(cudaStreamSynchronize(stream));
  }
  static_cast<void>(cudaEventDestroy(event));
  return error;
}

}  // namespace papo::cuda
