// What the memory of this device can do: copies, reads and writes in the same run as the kernels they are held against.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "direct.hpp"

namespace papo::gpu {

/// Enqueue one pass over `bytes`, a multiple of 16.
cudaError_t launch_copy(const void* from, void* to, std::size_t bytes, int multiprocessors,
                        cudaStream_t stream);
/// Reads everything and keeps nothing; `sink` is never written, but the compiler cannot know.
cudaError_t launch_read(const void* from, std::size_t bytes, void* sink, int multiprocessors,
                        cudaStream_t stream);
cudaError_t launch_write(void* to, std::size_t bytes, int multiprocessors, cudaStream_t stream);

/// Copies on a stream of its own, to keep multiprocessors and memory busy for a while.
class Traffic {
 public:
  Traffic(int device, std::size_t bytes);
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void start();

 private:
  std::size_t bytes_;
  int multiprocessors_;
  DeviceArray<char> from_, to_;
  cudaStream_t stream_ = nullptr;
};

/// Clusters of `size` blocks that can run at once, each block with so many threads and bytes of shared memory.
/// By a kernel of this file, not the engine's: registers do not bind at these sizes, shared memory does.
int active_clusters(int size, unsigned threads, std::size_t shared_bytes);

}  // namespace papo::gpu
