// Rows of the host's memory, copied and cleared without a device: the same for both backends.
#pragma once

#include <cstddef>
#include <cstring>

#include "cuda/memory.hpp"

namespace papo::cuda {

inline bool on_device(const Area& area) { return area.device.kind == DeviceKind::cuda; }

inline char* row_of(const Area& area, std::size_t row) {
  return static_cast<char*>(area.data) + row * area.pitch_bytes;
}

inline void copy_on_host(const Area& from, const Area& to, std::size_t rows,
                         std::size_t row_bytes) {
  for (std::size_t row = 0; row_bytes > 0 && row < rows; ++row) {
    std::memcpy(row_of(to, row), row_of(from, row), row_bytes);
  }
}

inline void clear_on_host(const Area& area, std::size_t rows, std::size_t row_bytes) {
  for (std::size_t row = 0; row_bytes > 0 && row < rows; ++row) {
    std::memset(row_of(area, row), 0, row_bytes);
  }
}

}  // namespace papo::cuda
