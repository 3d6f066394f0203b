// Matrices of logits or gradients on the host and on the device, with guards around and between their rows.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "core/half.hpp"
#include "core/tensor_view.hpp"
#include "cuda/memory.hpp"

namespace papo::gpu {

/// What the gaps of a gradient hold before and after a call.
inline constexpr float kGuard = 7;
/// Elements of guard behind the last row.
inline constexpr std::size_t kTail = 64;

struct Layout2D {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t padding = 0;
  std::size_t skew = 0;
  DType dtype = DType::float32;

  std::size_t pitch() const { return columns + padding; }
  std::size_t elements() const { return skew + rows * pitch() + kTail; }
  std::size_t bytes() const { return elements() * size_of(dtype); }
};

/// Throws what a status says; the program's one way to give up.
void require(const Status& status);

float element(const TensorView& view, std::size_t row, std::size_t column);
void store(float value, DType dtype, void* base, std::size_t index);

class HostMatrix {
 public:
  HostMatrix() = default;
  /// Memory that holds nothing yet, aligned to 256 bytes before the skew.
  explicit HostMatrix(const Layout2D& layout);

  const Layout2D& layout() const { return layout_; }
  TensorView view() const;
  void* base() const { return memory_.get(); }
  bool present() const { return memory_ != nullptr; }
  /// The skew, the padding of every row and the tail become `value`.
  void fill_gaps(float value);
  void copy_to(HostMatrix& other) const;

 private:
  Layout2D layout_;
  std::shared_ptr<void> memory_;
};

class DeviceMatrix {
 public:
  DeviceMatrix() = default;
  /// Memory that holds nothing yet.
  DeviceMatrix(const Layout2D& layout, int device);

  const Layout2D& layout() const { return layout_; }
  TensorView view() const;
  bool present() const { return memory_ != nullptr; }
  /// All bytes of `from`, whose layout is the same, its gaps included.
  void upload(const HostMatrix& from);
  /// Elements [first, first + count) of the whole memory, gaps included.
  void download(std::size_t first, std::size_t count, void* to) const;
  /// Everything becomes `value`.
  void fill(float value);
  /// One element of the whole memory, gaps included.
  void put(std::size_t index, float value);

 private:
  Layout2D layout_;
  cuda::MemoryPtr memory_;
};

}  // namespace papo::gpu
