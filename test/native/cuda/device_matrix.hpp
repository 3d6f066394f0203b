// A matrix of logits or gradients anywhere in device memory, for the kernels' tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/dtype.hpp"

namespace papo::cuda {

/// Where a matrix lies: `offset` elements behind a multiple of 256 bytes, with `padding` NaN between its rows.
struct Place {
  std::size_t offset = 0;
  std::size_t padding = 0;
};

/// A matrix in device memory of exactly its size, full of NaN where nothing was stored.
class DeviceMatrix {
 public:
  DeviceMatrix(DType dtype, std::size_t rows, std::size_t vocab, Place place);
  ~DeviceMatrix();
  DeviceMatrix(const DeviceMatrix&) = delete;
  DeviceMatrix& operator=(const DeviceMatrix&) = delete;

  void store(const std::vector<float>& values);
  std::vector<float> load() const;
  /// What lies before, between and behind the rows is as it was made.
  bool surroundings_untouched() const;

  void* data() const { return memory_ + place_.offset * size_of(dtype_); }
  std::int64_t pitch() const { return static_cast<std::int64_t>(vocab_ + place_.padding); }

 private:
  std::size_t elements() const;
  std::vector<char> bytes() const;

  DType dtype_;
  std::size_t rows_, vocab_;
  Place place_;
  char* memory_ = nullptr;
};

/// The numbers as the dtype keeps them.
std::vector<float> rounded(std::vector<float> values, DType dtype);
std::vector<float> normal_numbers(std::size_t count, float sigma, unsigned seed);

/// Elements of the dtype from numbers and back.
void encode(const std::vector<float>& values, DType dtype, char* bytes);
std::vector<float> decode(const char* bytes, DType dtype, std::size_t count);

}  // namespace papo::cuda
