// Page-locked memory that JavaScript holds as ArrayBuffers, found again by address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

namespace papo::addon {

/// Node-API cannot hold an ArrayBuffer's memory: a stream that reads into one detaches it, and what took the memory
/// over may be collected while a call still copies. So calls look up whose memory it is and hold that. For one thread.
class PinnedRegions {
 public:
  bool empty() const { return regions_.empty(); }

  void add(const std::shared_ptr<void>& memory, std::size_t bytes) {
    regions_[address(memory.get())] = {memory, bytes};
  }
  void remove(const void* data) { regions_.erase(address(data)); }

  /// Null where `data` is none of this memory.
  std::shared_ptr<void> holder_of(const void* data) const {
    auto above = regions_.upper_bound(address(data));
    if (above == regions_.begin()) return nullptr;
    const auto& [begin, region] = *--above;
    return address(data) - begin < region.bytes ? region.memory.lock() : nullptr;
  }

 private:
  struct Region {
    std::weak_ptr<void> memory;
    std::size_t bytes = 0;
  };

  static std::uintptr_t address(const void* data) { return reinterpret_cast<std::uintptr_t>(data); }

  std::map<std::uintptr_t, Region> regions_;
};

}  // namespace papo::addon
