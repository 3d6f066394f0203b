#include "matrix.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <vector>

#include "cpu/parallel.hpp"

namespace papo::gpu {
namespace {

TensorView view_of(const Layout2D& layout, void* base, Device device) {
  if (base == nullptr) return {};
  char* first = static_cast<char*>(base) + layout.skew * size_of(layout.dtype);
  return {first, layout.rows, layout.columns, layout.pitch(), layout.dtype, device};
}

/// `count` elements of one value, ready to be copied.
std::vector<char> pattern(float value, DType dtype, std::size_t count) {
  std::vector<char> bytes(count * size_of(dtype));
  for (std::size_t i = 0; i < count; ++i) store(value, dtype, bytes.data(), i);
  return bytes;
}

}  // namespace

void require(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

float element(const TensorView& view, std::size_t row, std::size_t column) {
  switch (view.dtype) {
    case DType::float16:
      return to_float(view.row<Float16>(row)[column]);
    case DType::bfloat16:
      return to_float(view.row<BFloat16>(row)[column]);
    default:
      return view.row<float>(row)[column];
  }
}

void store(float value, DType dtype, void* base, std::size_t index) {
  switch (dtype) {
    case DType::float16:
      return from_float(value, static_cast<Float16*>(base)[index]);
    case DType::bfloat16:
      return from_float(value, static_cast<BFloat16*>(base)[index]);
    default:
      static_cast<float*>(base)[index] = value;
  }
}

HostMatrix::HostMatrix(const Layout2D& layout) : layout_(layout) {
  constexpr std::size_t kAlignment = 256;
  const std::size_t bytes = (layout.bytes() + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  memory_ = std::shared_ptr<void>(memory, std::free);
}

TensorView HostMatrix::view() const { return view_of(layout_, base(), {}); }

void HostMatrix::fill_gaps(float value) {
  const std::size_t size = size_of(layout_.dtype);
  char* base = static_cast<char*>(memory_.get());
  const std::size_t longest = std::max({layout_.skew, layout_.padding, kTail});
  const std::vector<char> gap = pattern(value, layout_.dtype, longest);
  std::memcpy(base, gap.data(), layout_.skew * size);
  for (std::size_t row = 0; layout_.padding > 0 && row < layout_.rows; ++row) {
    const std::size_t end = layout_.skew + row * layout_.pitch() + layout_.columns;
    std::memcpy(base + end * size, gap.data(), layout_.padding * size);
  }
  const std::size_t tail = layout_.skew + layout_.rows * layout_.pitch();
  std::memcpy(base + tail * size, gap.data(), kTail * size);
}

void HostMatrix::copy_to(HostMatrix& other) const {
  const char* from = static_cast<const char*>(base());
  char* to = static_cast<char*>(other.base());
  const std::size_t bytes = layout_.bytes();
  constexpr std::size_t kBlock = std::size_t{8} << 20;
  require(
      cpu::for_rows((bytes + kBlock - 1) / kBlock, 1, {}, [&](std::size_t begin, std::size_t end) {
        const std::size_t first = begin * kBlock;
        std::memcpy(to + first, from + first, std::min(bytes, end * kBlock) - first);
        return Status();
      }));
}

DeviceMatrix::DeviceMatrix(const Layout2D& layout, int device) : layout_(layout) {
  require(cuda::allocate("papo_gpu", device, layout.bytes(), memory_));
}

TensorView DeviceMatrix::view() const {
  return memory_ == nullptr ? TensorView() : view_of(layout_, memory_->data(), memory_->device());
}

void DeviceMatrix::upload(const HostMatrix& from) {
  const std::size_t bytes = layout_.bytes();
  require(cuda::copy("papo_gpu", {from.base(), {}, bytes},
                     {memory_->data(), memory_->device(), bytes}, 1, bytes, nullptr));
}

void DeviceMatrix::download(std::size_t first, std::size_t count, void* to) const {
  const std::size_t size = size_of(layout_.dtype);
  char* from = static_cast<char*>(memory_->data()) + first * size;
  require(cuda::copy("papo_gpu", {from, memory_->device(), count * size}, {to, {}, count * size}, 1,
                     count * size, nullptr));
}

void DeviceMatrix::put(std::size_t index, float value) {
  const std::size_t size = size_of(layout_.dtype);
  std::vector<char> bytes = pattern(value, layout_.dtype, 1);
  char* to = static_cast<char*>(memory_->data()) + index * size;
  require(cuda::copy("papo_gpu", {bytes.data(), {}, size}, {to, memory_->device(), size}, 1, size,
                     nullptr));
}

void DeviceMatrix::fill(float value) {
  // One block from the host, then what is there is doubled on the device.
  const std::size_t bytes = layout_.bytes();
  const std::size_t size = size_of(layout_.dtype);
  const std::size_t block = std::min(layout_.elements(), std::size_t{1} << 20);
  std::vector<char> first = pattern(value, layout_.dtype, block);
  char* data = static_cast<char*>(memory_->data());
  const Device device = memory_->device();
  std::size_t done = block * size;
  require(cuda::copy("papo_gpu", {first.data(), {}, done}, {data, device, done}, 1, done, nullptr));
  while (done < bytes) {
    const std::size_t next = std::min(done, bytes - done);
    require(cuda::copy("papo_gpu", {data, device, next}, {data + done, device, next}, 1, next,
                       nullptr));
    done += next;
  }
}

}  // namespace papo::gpu
