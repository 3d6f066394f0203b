#include "device_matrix.hpp"

#include <cuda_runtime.h>

#include <cstring>
#include <random>

#include <doctest/doctest.h>

#include "core/half.hpp"

namespace papo::cuda {

void encode(const std::vector<float>& values, DType dtype, char* bytes) {
  dispatch_logits(dtype, [&](auto tag) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      from_float(values[i], tag);
      std::memcpy(bytes + i * sizeof tag, &tag, sizeof tag);
    }
    return 0;
  });
}

std::vector<float> decode(const char* bytes, DType dtype, std::size_t count) {
  std::vector<float> values(count);
  dispatch_logits(dtype, [&](auto tag) {
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(&tag, bytes + i * sizeof tag, sizeof tag);
      values[i] = to_float(tag);
    }
    return 0;
  });
  return values;
}

DeviceMatrix::DeviceMatrix(DType dtype, std::size_t rows, std::size_t vocab, Place place)
    : dtype_(dtype), rows_(rows), vocab_(vocab), place_(place) {
  REQUIRE(cudaMalloc(reinterpret_cast<void**>(&memory_), elements() * size_of(dtype)) ==
          cudaSuccess);
  cudaMemset(memory_, 0xFF, elements() * size_of(dtype));
}

DeviceMatrix::~DeviceMatrix() { cudaFree(memory_); }

std::size_t DeviceMatrix::elements() const {
  return place_.offset + (rows_ - 1) * (vocab_ + place_.padding) + vocab_;
}

std::vector<char> DeviceMatrix::bytes() const {
  std::vector<char> result(elements() * size_of(dtype_));
  cudaMemcpy(result.data(), memory_, result.size(), cudaMemcpyDeviceToHost);
  return result;
}

void DeviceMatrix::store(const std::vector<float>& values) {
  std::vector<char> stored(values.size() * size_of(dtype_));
  encode(values, dtype_, stored.data());
  const std::size_t row_bytes = vocab_ * size_of(dtype_);
  cudaMemcpy2D(data(), static_cast<std::size_t>(pitch()) * size_of(dtype_), stored.data(),
               row_bytes, row_bytes, rows_, cudaMemcpyHostToDevice);
}

std::vector<float> DeviceMatrix::load() const {
  const std::vector<char> all = bytes();
  std::vector<float> result;
  for (std::size_t row = 0; row < rows_; ++row) {
    const std::size_t first = place_.offset + row * static_cast<std::size_t>(pitch());
    const auto values = decode(all.data() + first * size_of(dtype_), dtype_, vocab_);
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

bool DeviceMatrix::surroundings_untouched() const {
  const std::vector<char> all = bytes();
  for (std::size_t i = 0; i < elements(); ++i) {
    const bool inside =
        i >= place_.offset && (i - place_.offset) % static_cast<std::size_t>(pitch()) < vocab_;
    for (std::size_t byte = 0; !inside && byte < size_of(dtype_); ++byte) {
      if (static_cast<unsigned char>(all[i * size_of(dtype_) + byte]) != 0xFF) return false;
    }
  }
  return true;
}

std::vector<float> rounded(std::vector<float> values, DType dtype) {
  dispatch_logits(dtype, [&](auto tag) {
    for (float& x : values) {
      from_float(x, tag);
      x = to_float(tag);
    }
    return 0;
  });
  return values;
}

std::vector<float> normal_numbers(std::size_t count, float sigma, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, sigma);
  std::vector<float> values(count);
  for (float& x : values) x = normal(random);
  return values;
}

}  // namespace papo::cuda
