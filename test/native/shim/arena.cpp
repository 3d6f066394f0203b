// Arenas: a header before the memory keeps its size, fences on both sides keep watch.
#include "shim/arena.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace papo::shim {
namespace {

/// As words 0x7FFFFFFF: NaN as float32, float64, float16 and bfloat16, and a flag that seems long raised.
unsigned char poison_at(const char* address) {
  return reinterpret_cast<std::uintptr_t>(address) % 4 == 3 ? 0x7F : 0xFF;
}

#if !defined(__SANITIZE_ADDRESS__)
constexpr unsigned char kFence = 0xA5;
constexpr std::size_t kFenceBytes = 256;

std::size_t& size_of(char* memory) {
  return *reinterpret_cast<std::size_t*>(memory - 2 * kFenceBytes);
}

bool all(const char* data, std::size_t bytes, unsigned char value) {
  for (std::size_t i = 0; i < bytes; ++i) {
    if (static_cast<unsigned char>(data[i]) != value) return false;
  }
  return true;
}
#endif

char* aligned(std::size_t bytes, std::size_t alignment) {
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes) != 0) std::abort();
  return static_cast<char*>(memory);
}

}  // namespace

void poison(void* data, std::size_t bytes) {
  auto* to = static_cast<char*>(data);
  for (std::size_t i = 0; i < bytes; ++i) to[i] = static_cast<char>(poison_at(to + i));
}

std::size_t poisoned_bytes(const void* data, std::size_t bytes) {
  const auto* from = static_cast<const char*>(data);
  std::size_t i = 0;
  while (i < bytes && static_cast<unsigned char>(from[i]) == poison_at(from + i)) ++i;
  return i;
}

#if defined(__SANITIZE_ADDRESS__)

char* new_arena(std::size_t bytes, std::size_t alignment) {
  char* memory = aligned(bytes, alignment);
  poison(memory, bytes);
  return memory;
}
void delete_arena(char* memory) { std::free(memory); }
bool fences_stand(const char*) { return true; }

#else

char* new_arena(std::size_t bytes, std::size_t alignment) {
  static_assert(kFenceBytes % 256 == 0, "keeps every alignment we are asked for");
  char* memory = aligned(bytes + 3 * kFenceBytes, alignment) + 2 * kFenceBytes;
  size_of(memory) = bytes;
  std::memset(memory - kFenceBytes, kFence, kFenceBytes);
  std::memset(memory + bytes, kFence, kFenceBytes);
  poison(memory, bytes);
  return memory;
}

void delete_arena(char* memory) {
  if (memory != nullptr) std::free(memory - 2 * kFenceBytes);
}

bool fences_stand(const char* memory) {
  const std::size_t bytes = size_of(const_cast<char*>(memory));
  return all(memory - kFenceBytes, kFenceBytes, kFence) && all(memory + bytes, kFenceBytes, kFence);
}

#endif

}  // namespace papo::shim
