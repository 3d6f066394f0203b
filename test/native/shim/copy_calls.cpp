// Copies and clears. One from page-locked memory happens when its turn comes; one from pageable memory has read its
// source, and one to pageable memory has been done, when the call returns: as CUDA promises, and no more.
#include <algorithm>
#include <cstring>

#include "shim/arena.hpp"
#include "shim/memory.hpp"
#include "shim/runtime.hpp"

namespace papo::shim {
namespace {

struct Rows {
  char* data = nullptr;
  std::size_t pitch = 0;
};

struct Copy {
  Rows to;
  Rows from;
  std::size_t width = 0;
  std::size_t height = 0;

  std::size_t extent(const Rows& rows) const { return rows.pitch * (height - 1) + width; }
};

enum class Place { pageable, pinned, device, outside };

/// Where these bytes are; `outside` if they begin in a known allocation and end beyond it.
Place place_of(const Runtime& r, const char* data, std::size_t bytes) {
  const Allocation* allocation = r.allocation_of(data);
  if (allocation == nullptr) return Place::pageable;
  const auto offset = static_cast<std::size_t>(data - allocation->data);
  if (bytes > allocation->bytes - offset) return Place::outside;
  return allocation->pinned ? Place::pinned : Place::device;
}

bool fits(cudaMemcpyKind kind, Place from, Place to) {
  if (from == Place::outside || to == Place::outside) return false;
  const bool from_device = from == Place::device;
  const bool to_device = to == Place::device;
  switch (kind) {
    case cudaMemcpyDefault:
      return true;
    case cudaMemcpyHostToHost:
      return !from_device && !to_device;
    case cudaMemcpyHostToDevice:
      return !from_device && to_device;
    case cudaMemcpyDeviceToHost:
      return from_device && !to_device;
    case cudaMemcpyDeviceToDevice:
      return from_device && to_device;
  }
  return false;
}

void copy_rows(const Copy& copy) {
  for (std::size_t row = 0; row < copy.height; ++row) {
    std::memmove(copy.to.data + row * copy.to.pitch, copy.from.data + row * copy.from.pitch,
                 copy.width);
  }
}

/// Nothing that is still to be done reads these bytes.
bool nobody_reads(const Runtime& r, const char* data, std::size_t bytes) {
  for (const auto& weak : r.all_streams) {
    const StreamPtr stream = weak.lock();
    if (stream == nullptr) continue;
    for (const Work& work : stream->queue) {
      if (work.reads != nullptr && work.reads < data + bytes &&
          data < work.reads + work.reads_bytes)
        return false;
    }
  }
  return true;
}

cudaError_t enqueue_copy(Runtime& r, const StreamPtr& stream, Copy copy, cudaMemcpyKind kind,
                         bool waits) {
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (copy.width == 0 || copy.height == 0) return cudaSuccess;
  if (copy.to.data == nullptr || copy.from.data == nullptr) return cudaErrorInvalidValue;
  if (copy.to.pitch < copy.width || copy.from.pitch < copy.width) return cudaErrorInvalidPitchValue;
  const Place from = place_of(r, copy.from.data, copy.extent(copy.from));
  const Place to = place_of(r, copy.to.data, copy.extent(copy.to));
  if (!fits(kind, from, to)) return cudaErrorInvalidValue;
  Work work;
  if (from == Place::pageable && to == Place::device) {
    auto staged = std::make_shared<std::vector<char>>(copy.width * copy.height);
    copy_rows({{staged->data(), copy.width}, copy.from, copy.width, copy.height});
    copy.from = {staged->data(), copy.width};
    work.run = [copy, staged] {
      const DeviceAccess access(DeviceAccess::kEvery);
      copy_rows(copy);
      return cudaSuccess;
    };
  } else {
    work.run = [copy] {
      const DeviceAccess access(DeviceAccess::kEvery);
      copy_rows(copy);
      return cudaSuccess;
    };
    if (from != Place::device) {
      work.reads = copy.from.data;
      work.reads_bytes = copy.extent(copy.from);
    }
  }
  // Whoever reads the destination without having waited shall not find what an earlier copy left there.
  if (to == Place::pinned && nobody_reads(r, copy.to.data, copy.extent(copy.to))) {
    for (std::size_t row = 0; row < copy.height; ++row) {
      if (from == Place::device) poison(copy.to.data + row * copy.to.pitch, copy.width);
    }
  }
  enqueue(r, stream, std::move(work));
  if (!waits && to != Place::pageable) return cudaSuccess;
  return wait_for(r, stream, stream->issued);
}

cudaError_t enqueue_clear(Runtime& r, const StreamPtr& stream, Rows rows, int value,
                          std::size_t width, std::size_t height) {
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (width == 0 || height == 0) return cudaSuccess;
  if (rows.pitch < width) return cudaErrorInvalidPitchValue;
  const Place place = place_of(r, rows.data, rows.pitch * (height - 1) + width);
  if (place == Place::pageable || place == Place::outside) return cudaErrorInvalidValue;
  Work work;
  work.run = [=] {
    const DeviceAccess access(DeviceAccess::kEvery);
    for (std::size_t row = 0; row < height; ++row) {
      std::memset(rows.data + row * rows.pitch, value, width);
    }
    return cudaSuccess;
  };
  enqueue(r, stream, std::move(work));
  return cudaSuccess;
}

Rows rows_at(const void* data, std::size_t pitch) {
  return {static_cast<char*>(const_cast<void*>(data)), pitch};
}

}  // namespace
}  // namespace papo::shim

using papo::shim::call;
using papo::shim::enqueue_clear;
using papo::shim::enqueue_copy;
using papo::shim::rows_at;
using papo::shim::Runtime;

extern "C" {

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return call("cudaMemcpy", [=](Runtime& r) {
    return enqueue_copy(r, r.find(nullptr), {rows_at(to, bytes), rows_at(from, bytes), bytes, 1},
                        kind, true);
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return call("cudaMemcpyAsync", [=](Runtime& r) {
    return enqueue_copy(r, r.find(stream), {rows_at(to, bytes), rows_at(from, bytes), bytes, 1},
                        kind, false);
  });
}

cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                         size_t width, size_t height, cudaMemcpyKind kind) {
  return call("cudaMemcpy2D", [=](Runtime& r) {
    return enqueue_copy(r, r.find(nullptr),
                        {rows_at(to, to_pitch), rows_at(from, from_pitch), width, height}, kind,
                        true);
  });
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
  return call("cudaMemcpy2DAsync", [=](Runtime& r) {
    return enqueue_copy(r, r.find(stream),
                        {rows_at(to, to_pitch), rows_at(from, from_pitch), width, height}, kind,
                        false);
  });
}

cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device,
                                size_t bytes, cudaStream_t stream) {
  return call("cudaMemcpyPeerAsync", [=](Runtime& r) {
    const auto* source = r.allocation_of(from);
    const auto* target = r.allocation_of(to);
    if (source == nullptr || target == nullptr || source->device != from_device ||
        target->device != to_device) {
      return cudaErrorInvalidValue;
    }
    return enqueue_copy(r, r.find(stream), {rows_at(to, bytes), rows_at(from, bytes), bytes, 1},
                        cudaMemcpyDeviceToDevice, false);
  });
}

cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
  return cudaMemsetAsync(memory, value, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  return call("cudaMemsetAsync", [=](Runtime& r) {
    return enqueue_clear(r, r.find(stream), rows_at(memory, bytes), value, bytes, 1);
  });
}

cudaError_t cudaMemset2DAsync(void* memory, size_t pitch, int value, size_t width, size_t height,
                              cudaStream_t stream) {
  return call("cudaMemset2DAsync", [=](Runtime& r) {
    return enqueue_clear(r, r.find(stream), rows_at(memory, pitch), value, width, height);
  });
}

}  // extern "C"
