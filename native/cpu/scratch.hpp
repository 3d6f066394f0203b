// Memory that each thread keeps between rows: O(threads x vocabulary), grown as needed, freed with the thread.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace papo::cpu {

/// At least `floats` floats, aligned for any vector, or null if there is no memory. Valid until this thread's next call.
inline float* scratch(std::size_t floats) {
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  static thread_local std::unique_ptr<float, Free> memory;
  static thread_local std::size_t capacity = 0;
  if (floats <= capacity) return memory.get();
  constexpr std::size_t kAlignment = 64;
  const std::size_t bytes = (floats * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
  memory.reset(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
  capacity = memory == nullptr ? 0 : bytes / sizeof(float);
  return memory.get();
}

}  // namespace papo::cpu
