// A view of a matrix in somebody's memory; owns nothing.
#pragma once

#include <cstddef>

#include "core/device.hpp"
#include "core/dtype.hpp"

namespace papo {

/// `rows` x `columns` elements, `row_pitch` elements from one row to the next; absent if `data` is null.
struct TensorView {
  void* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t row_pitch = 0;
  DType dtype = DType::float32;
  Device device;

  bool present() const { return data != nullptr; }
  /// Bytes from the first element to the end of the last one.
  std::size_t span_bytes() const {
    return rows == 0 || columns == 0 ? 0 : ((rows - 1) * row_pitch + columns) * size_of(dtype);
  }
  template <typename T>
  T* row(std::size_t index) const {
    return static_cast<T*>(data) + index * row_pitch;
  }
};

}  // namespace papo
