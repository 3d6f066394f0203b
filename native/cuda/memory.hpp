// Memory of a device and page-locked memory of the host: made, wrapped, copied, cleared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/device.hpp"
#include "core/status.hpp"

namespace papo::cuda {

class Stream;

/// Device memory, freed (if it is ours) when the last holder lets go.
class Memory {
 public:
  Memory(Device device, void* data, std::size_t bytes, bool foreign)
      : device_(device), data_(data), bytes_(bytes), foreign_(foreign) {}
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  Device device() const { return device_; }
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  /// Made by somebody else, who also frees it.
  bool foreign() const { return foreign_; }

 private:
  Device device_;
  void* data_;
  std::size_t bytes_;
  bool foreign_;
};
using MemoryPtr = std::shared_ptr<Memory>;

/// `where` begins the message of an error ("tensor"). Out of memory names what was asked and what is free.
Status allocate(const std::string& where, int device, std::size_t bytes, MemoryPtr& memory);

/// Over a foreign pointer, which must be device memory of that device; `bytes` is believed.
Status wrap(const std::string& where, int device, std::uintptr_t pointer, std::size_t bytes,
            MemoryPtr& memory);

/// Page-locked host memory, which copies reach without a detour.
Status allocate_pinned(const std::string& where, std::size_t bytes, std::shared_ptr<void>& memory);

struct MemoryInfo {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
};
Status memory_info(const std::string& where, int device, MemoryInfo& info);

/// `rows` runs of `row_bytes`, `pitch_bytes` apart, on the host or on a device.
struct Area {
  void* data = nullptr;
  Device device;
  std::size_t pitch_bytes = 0;
};

/// Copies in stream order and waits until it is done. `stream` null: the device's default stream.
Status copy(const std::string& where, const Area& from, const Area& to, std::size_t rows,
            std::size_t row_bytes, const Stream* stream);

/// Zeros in stream order, and waits.
Status clear(const std::string& where, const Area& area, std::size_t rows, std::size_t row_bytes,
             const Stream* stream);

}  // namespace papo::cuda
