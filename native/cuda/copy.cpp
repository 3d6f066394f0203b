#include "cuda/copy.hpp"

#include <algorithm>

#include "cuda/backend.hpp"
#include "cuda/check.hpp"
#include "cuda/device_guard.hpp"
#include "cuda/host_rows.hpp"
#include "cuda/stream.hpp"
#include "cuda/wait.hpp"

namespace papo::cuda {
namespace {

cudaStream_t handle_of(const Stream* stream) {
  return stream == nullptr ? nullptr : static_cast<cudaStream_t>(stream->handle());
}

bool contiguous(const Area& area, std::size_t rows, std::size_t row_bytes) {
  return rows == 1 || area.pitch_bytes == row_bytes;
}

/// The largest pitch that CUDA's copies of rows take (cudaDevAttrMaxPitch).
constexpr std::size_t kMaxPitch = (std::size_t{1} << 31) - 1;

cudaError_t enqueue_copy(const Area& from, const Area& to, std::size_t rows, std::size_t row_bytes,
                         cudaStream_t stream) {
  const bool between = on_device(from) && on_device(to) && from.device != to.device;
  const cudaMemcpyKind kind = !on_device(from) ? cudaMemcpyHostToDevice
                              : !on_device(to) ? cudaMemcpyDeviceToHost
                                               : cudaMemcpyDeviceToDevice;
  const auto run = [&](std::size_t row, std::size_t bytes) {
    return between ? cudaMemcpyPeerAsync(row_of(to, row), to.device.index, row_of(from, row),
                                         from.device.index, bytes, stream)
                   : cudaMemcpyAsync(row_of(to, row), row_of(from, row), bytes, kind, stream);
  };
  if (contiguous(from, rows, row_bytes) && contiguous(to, rows, row_bytes)) {
    return run(0, rows * row_bytes);
  }
  if (!between && std::max(from.pitch_bytes, to.pitch_bytes) <= kMaxPitch) {
    return cudaMemcpy2DAsync(to.data, to.pitch_bytes, from.data, from.pitch_bytes, row_bytes, rows,
                             kind, stream);
  }
  cudaError_t error = cudaSuccess;
  for (std::size_t row = 0; error == cudaSuccess && row < rows; ++row) error = run(row, row_bytes);
  return error;
}

/// A stream works for the devices of its copy only; without one, the default stream of `device` does.
Status check_stream(const std::string& where, const Stream* stream, const Area& from,
                    const Area& to, int& device) {
  device = on_device(to) ? to.device.index : from.device.index;
  if (stream == nullptr) return {};
  const Device own = {DeviceKind::cuda, stream->device()};
  if (own == from.device || own == to.device) {
    device = stream->device();
    return {};
  }
  return expected(Code::device_mismatch, where,
                  "a stream of " + name_of(Device{DeviceKind::cuda, device}),
                  "one of " + name_of(own));
}

}  // namespace

cudaError_t enqueue_clear(const Area& area, std::size_t rows, std::size_t row_bytes,
                          cudaStream_t stream) {
  if (contiguous(area, rows, row_bytes)) {
    return cudaMemsetAsync(area.data, 0, rows * row_bytes, stream);
  }
  if (area.pitch_bytes <= kMaxPitch) {
    return cudaMemset2DAsync(area.data, area.pitch_bytes, 0, row_bytes, rows, stream);
  }
  cudaError_t error = cudaSuccess;
  for (std::size_t row = 0; error == cudaSuccess && row < rows; ++row) {
    error = cudaMemsetAsync(row_of(area, row), 0, row_bytes, stream);
  }
  return error;
}

Status copy(const std::string& where, const Area& from, const Area& to, std::size_t rows,
            std::size_t row_bytes, const Stream* stream) {
  if (!on_device(from) && !on_device(to)) {
    copy_on_host(from, to, rows, row_bytes);
    return {};
  }
  int device = 0;
  Status status = check_stream(where, stream, from, to, device);
  if (status.ok() && on_device(from)) status = check_device(where, from.device.index);
  if (status.ok() && on_device(to)) status = check_device(where, to.device.index);
  if (!status.ok() || rows == 0 || row_bytes == 0) return status;
  // The default stream of one device does not wait for another's.
  if (stream == nullptr && on_device(from) && from.device.index != device) {
    const DeviceGuard guard(from.device.index);
    status = check(where, from.device.index, "finish its work", wait_for(nullptr));
    if (!status.ok()) return status;
  }
  const DeviceGuard guard(device);
  status = check(where, device, "be made current", guard.error());
  if (!status.ok()) return status;
  status = check(where, device, "copy", enqueue_copy(from, to, rows, row_bytes, handle_of(stream)));
  // Rows that were enqueued before one failed still move.
  Status waited = check(where, device, "copy", wait_for(handle_of(stream)));
  return status.ok() ? waited : status;
}

Status clear(const std::string& where, const Area& area, std::size_t rows, std::size_t row_bytes,
             const Stream* stream) {
  if (!on_device(area)) {
    clear_on_host(area, rows, row_bytes);
    return {};
  }
  int device = 0;
  Status status = check_stream(where, stream, area, area, device);
  if (status.ok()) status = check_device(where, device);
  if (!status.ok() || rows == 0 || row_bytes == 0) return status;
  const DeviceGuard guard(device);
  status = check(where, device, "be made current", guard.error());
  if (!status.ok()) return status;
  status =
      check(where, device, "clear memory", enqueue_clear(area, rows, row_bytes, handle_of(stream)));
  Status waited = check(where, device, "clear memory", wait_for(handle_of(stream)));
  return status.ok() ? waited : status;
}

}  // namespace papo::cuda
