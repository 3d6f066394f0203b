// Device memory for tests: made of host numbers, read back as host numbers, released at the end of the scope.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <vector>

namespace papo::shim {

template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) { cudaMalloc(&data_, count * sizeof(T)); }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }

  /// Waits for what is enqueued; empty if that failed.
  std::vector<T> read() const {
    std::vector<T> values(count_);
    const auto error = cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost);
    return error == cudaSuccess ? values : std::vector<T>();
  }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

}  // namespace papo::shim
