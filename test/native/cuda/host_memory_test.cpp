// Memory of a device: made, refused with sizes, wrapped, copied, cleared, and let go of.
#include <cuda_runtime.h>

#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/memory.hpp"
#include "cuda/stream.hpp"
#include "host_machine.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

using Bytes = std::vector<unsigned char>;

Area area(const MemoryPtr& memory, std::size_t pitch, std::size_t offset = 0) {
  return {static_cast<char*>(memory->data()) + offset, memory->device(), pitch};
}
Area area(Bytes& bytes, std::size_t pitch, std::size_t offset = 0) {
  return {bytes.data() + offset, {}, pitch};
}

/// 1, 2, 3, …
Bytes counted(std::size_t bytes) {
  Bytes values(bytes);
  std::iota(values.begin(), values.end(), static_cast<unsigned char>(1));
  return values;
}

MemoryPtr made(int device, std::size_t bytes) {
  MemoryPtr memory;
  const Status status = allocate("test", device, bytes, memory);
  REQUIRE_MESSAGE(status.ok(), status.message());
  return memory;
}

MemoryPtr holding(int device, Bytes bytes) {
  MemoryPtr memory = made(device, bytes.size());
  REQUIRE(
      copy("test", area(bytes, bytes.size()), area(memory, bytes.size()), 1, bytes.size(), nullptr)
          .ok());
  return memory;
}

Bytes contents(const MemoryPtr& memory) {
  Bytes bytes(memory->bytes());
  REQUIRE(
      copy("test", area(memory, bytes.size()), area(bytes, bytes.size()), 1, bytes.size(), nullptr)
          .ok());
  return bytes;
}

}  // namespace

TEST_CASE("device memory is of its device and size, and goes when its last holder lets go") {
  const FreshMachine machine;
  MemoryPtr memory = made(1, 1000);
  CHECK(name_of(memory->device()) == "cuda:1");
  CHECK(memory->bytes() == 1000);
  CHECK_FALSE(memory->foreign());
  MemoryPtr other = memory;
  memory.reset();
  CHECK(shim::live().device_allocations == 1);
  other.reset();
  CHECK(shim::live().device_allocations == 0);
}

TEST_CASE("no bytes are memory too: present, and nobody reads it") {
  const FreshMachine machine;
  const MemoryPtr nothing = made(0, 0);
  CHECK(nothing->data() != nullptr);
  CHECK(nothing->bytes() == 0);
  Bytes host(1);
  CHECK(copy("test", area(nothing, 0), area(host, 0), 0, 0, nullptr).ok());
  CHECK(clear("test", area(nothing, 4), 1, 0, nullptr).ok());
}

TEST_CASE("out of memory names what was asked and what is free, and leaves everything usable") {
  const FreshMachine machine(std::size_t{1} << 20);
  const MemoryPtr half = made(0, std::size_t{1} << 19);
  MemoryPtr more;
  const Status status = allocate("tensor", 0, (std::size_t{1} << 19) + 512, more);
  CHECK(status.code() == Code::out_of_memory);
  CHECK(status.message() ==
        "[tensor] expected 524800 bytes (512.5 KiB) of memory on cuda:0, received out of memory: "
        "free are 524288 bytes (512 KiB) of 1048576 bytes (1 MiB)");
  CHECK(more.use_count() == 0);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(shim::live().device_allocations == 1);
  CHECK(made(0, std::size_t{1} << 18).use_count() == 1);
  CHECK(made(1, std::size_t{1} << 20).use_count() == 1);
}

TEST_CASE("an allocation that fails otherwise says what CUDA said") {
  const FreshMachine machine;
  shim::fail_next("cudaMalloc", cudaErrorNotSupported);
  MemoryPtr memory;
  const Status status = allocate("tensor", 1, 10, memory);
  CHECK(status.code() == Code::cuda);
  CHECK(status.message() ==
        "[tensor] expected cuda:1 to give memory, received cudaErrorNotSupported (operation not "
        "supported)");
  CHECK(cudaGetLastError() == cudaSuccess);
}

TEST_CASE("a device that is not there is named with those that are") {
  const FreshMachine machine;
  MemoryPtr memory;
  for (const int device : {2, -1}) {
    const Status status = allocate("tensor", device, 10, memory);
    CHECK(status.code() == Code::device_unavailable);
    CHECK(status.message() == "[tensor] cuda:" + std::to_string(device) +
                                  " is not available: the devices are cuda:0 to cuda:1");
  }
  MemoryInfo info;
  CHECK(memory_info("memory", 7, info).code() == Code::device_unavailable);
}

TEST_CASE("a device tells how much of its memory is free") {
  const FreshMachine machine(std::size_t{1} << 20);
  const MemoryPtr some = made(1, 4096);
  MemoryInfo info;
  REQUIRE(memory_info("memory", 1, info).ok());
  CHECK(info.total_bytes == std::size_t{1} << 20);
  CHECK(info.free_bytes == (std::size_t{1} << 20) - 4096);
}

TEST_CASE("a foreign pointer is wrapped where it is memory of the device, and never freed") {
  const FreshMachine machine;
  const MemoryPtr owner = made(1, 1000);
  const auto pointer = reinterpret_cast<std::uintptr_t>(owner->data());
  {
    MemoryPtr wrapped;
    REQUIRE(wrap("wrap", 1, pointer, 1000, wrapped).ok());
    CHECK(wrapped->foreign());
    CHECK(wrapped->data() == owner->data());
    CHECK(wrapped->bytes() == 1000);
    REQUIRE(wrap("wrap", 1, pointer + 100, 900, wrapped).ok());
    CHECK(wrapped->data() == static_cast<char*>(owner->data()) + 100);
  }
  CHECK(shim::live().device_allocations == 1);
  MemoryPtr empty;
  CHECK(wrap("wrap", 1, 0, 0, empty).ok());
}

TEST_CASE("a pointer that is not the device's memory is refused for what it is") {
  const FreshMachine machine;
  const MemoryPtr owner = made(1, 1000);
  const auto pointer = reinterpret_cast<std::uintptr_t>(owner->data());
  std::shared_ptr<void> pinned;
  REQUIRE(allocate_pinned("test", 64, pinned).ok());
  int on_stack = 0;
  MemoryPtr wrapped;
  const auto refusal = [&](int device, std::uintptr_t address, std::size_t bytes, Code code) {
    const Status status = wrap("wrap", device, address, bytes, wrapped);
    CHECK(status.code() == code);
    CHECK(wrapped.use_count() == 0);
    CHECK(cudaGetLastError() == cudaSuccess);
    return status.message();
  };
  CHECK(refusal(0, pointer, 1000, Code::device_mismatch) ==
        "[wrap] expected a pointer to memory of cuda:0, received memory of cuda:1");
  CHECK(refusal(1, reinterpret_cast<std::uintptr_t>(pinned.get()), 64, Code::device_mismatch) ==
        "[wrap] expected a pointer to memory of cuda:1, received page-locked memory of the host");
  CHECK(refusal(1, reinterpret_cast<std::uintptr_t>(&on_stack), 4, Code::argument) ==
        "[wrap] expected a pointer to memory of cuda:1, received an address that CUDA does not "
        "know");
  CHECK(refusal(1, 0, 4, Code::argument) ==
        "[wrap] expected a pointer to memory of cuda:1, received an address that CUDA does not "
        "know");
  CHECK(refusal(1, pointer, 1000000000, Code::argument) ==
        "[wrap] expected a last byte in memory of cuda:1, received an address that CUDA does not "
        "know");
  CHECK(refusal(1, pointer, ~std::size_t{0}, Code::range) ==
        "[wrap] expected a size that ends within the address space, received 18446744073709551615 "
        "bytes (1.678e+07 TiB)");
}

TEST_CASE("page-locked memory is made, refused with its size, and let go of") {
  const FreshMachine machine;
  {
    std::shared_ptr<void> pinned;
    REQUIRE(allocate_pinned("pinned", 100, pinned).ok());
    static_cast<char*>(pinned.get())[99] = 1;
    CHECK(shim::live().pinned_allocations == 1);
  }
  CHECK(shim::live().pinned_allocations == 0);
  shim::fail_next("cudaHostAlloc", cudaErrorMemoryAllocation);
  std::shared_ptr<void> pinned;
  const Status status = allocate_pinned("pinned", 4096, pinned);
  CHECK(status.code() == Code::out_of_memory);
  CHECK(status.message() ==
        "[pinned] expected 4096 bytes (4 KiB) of page-locked memory on the host, received out of "
        "memory");
  CHECK(cudaGetLastError() == cudaSuccess);
}

TEST_CASE("rows are copied up, across a device, between devices and down, at any pitch") {
  const FreshMachine machine;
  constexpr std::size_t kRows = 3;
  constexpr std::size_t kBytes = 4;
  for (const std::size_t from_pitch : {kBytes, kBytes + 3}) {
    for (const std::size_t to_pitch : {kBytes, kBytes + 5}) {
      CAPTURE(from_pitch);
      CAPTURE(to_pitch);
      Bytes from = counted(kRows * from_pitch);
      const MemoryPtr first = holding(0, Bytes(kRows * to_pitch, 0));
      const MemoryPtr second = holding(0, Bytes(kRows * from_pitch, 0));
      const MemoryPtr third = holding(1, Bytes(kRows * to_pitch, 0));
      Bytes to(kRows * from_pitch);
      REQUIRE(
          copy("test", area(from, from_pitch), area(first, to_pitch), kRows, kBytes, nullptr).ok());
      REQUIRE(copy("test", area(first, to_pitch), area(second, from_pitch), kRows, kBytes, nullptr)
                  .ok());
      REQUIRE(copy("test", area(second, from_pitch), area(third, to_pitch), kRows, kBytes, nullptr)
                  .ok());
      REQUIRE(
          copy("test", area(third, to_pitch), area(to, from_pitch), kRows, kBytes, nullptr).ok());
      for (std::size_t i = 0; i < to.size(); ++i) {
        CHECK(to[i] == (i % from_pitch < kBytes ? from[i] : 0));
      }
      // What lies between the rows is nobody's.
      const Bytes all = contents(third);
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (i % to_pitch >= kBytes) CHECK(all[i] == 0);
      }
    }
  }
}

TEST_CASE("rows of the host are copied to the host without a device") {
  Bytes from = counted(12);
  Bytes to(10);
  REQUIRE(copy("test", area(from, 6), area(to, 5), 2, 4, nullptr).ok());
  CHECK(to == Bytes{1, 2, 3, 4, 0, 7, 8, 9, 10, 0});
  REQUIRE(clear("test", area(to, 5), 2, 2, nullptr).ok());
  CHECK(to == Bytes{0, 0, 3, 4, 0, 0, 0, 9, 10, 0});
}

TEST_CASE("rows farther apart than CUDA copies at once are copied one by one") {
  const FreshMachine machine;
  const MemoryPtr memory = holding(0, Bytes(3, 0));
  Bytes from = {7};
  constexpr std::size_t kFar = std::size_t{1} << 40;
  // Two rows of which the second would lie a terabyte away: only the copy of the second can fail.
  const Status status = copy("test", area(from, 0), area(memory, kFar), 2, 1, nullptr);
  CHECK_FALSE(status.ok());
  CHECK(contents(memory) == Bytes{7, 0, 0});
  CHECK_FALSE(clear("test", area(memory, kFar), 2, 1, nullptr).ok());
  CHECK(contents(memory) == Bytes{0, 0, 0});
}

TEST_CASE("zeros are written to the rows and to nothing between them") {
  const FreshMachine machine;
  const MemoryPtr memory = holding(1, counted(12));
  REQUIRE(clear("test", area(memory, 5, 1), 2, 3, nullptr).ok());
  CHECK(contents(memory) == Bytes{1, 0, 0, 0, 5, 6, 0, 0, 0, 10, 11, 12});
  REQUIRE(clear("test", area(memory, 4), 3, 4, nullptr).ok());
  CHECK(contents(memory) == Bytes(12, 0));
}

TEST_CASE("a copy goes in the order of the stream it is given") {
  const FreshMachine machine;
  StreamPtr stream;
  REQUIRE(create_stream("test", 0, stream).ok());
  const MemoryPtr memory = holding(0, Bytes(4, 0));
  const auto handle = static_cast<cudaStream_t>(stream->handle());
  REQUIRE(cudaMemsetAsync(memory->data(), 9, 4, handle) == cudaSuccess);
  Bytes to(4);
  REQUIRE(copy("test", area(memory, 4), area(to, 4), 1, 4, stream.get()).ok());
  CHECK(to == Bytes(4, 9));
  REQUIRE(clear("test", area(memory, 4), 1, 4, stream.get()).ok());
  CHECK(contents(memory) == Bytes(4, 0));
}

TEST_CASE("a copy between devices waits for the default streams of both") {
  const FreshMachine machine;
  const MemoryPtr from = holding(0, Bytes(4, 0));
  const MemoryPtr to = holding(1, Bytes(4, 0));
  REQUIRE(cudaSetDevice(0) == cudaSuccess);
  REQUIRE(cudaMemsetAsync(from->data(), 3, 4, nullptr) == cudaSuccess);
  REQUIRE(copy("test", area(from, 4), area(to, 4), 1, 4, nullptr).ok());
  CHECK(contents(to) == Bytes(4, 3));
}

TEST_CASE("a stream of a device that has no part in the copy is refused") {
  const FreshMachine machine;
  StreamPtr stream;
  REQUIRE(create_stream("test", 1, stream).ok());
  const MemoryPtr memory = holding(0, Bytes(4, 0));
  Bytes to(4);
  const Status status = copy("tensor.to", area(memory, 4), area(to, 4), 1, 4, stream.get());
  CHECK(status.code() == Code::device_mismatch);
  CHECK(status.message() == "[tensor.to] expected a stream of cuda:0, received one of cuda:1");
  CHECK(clear("fill", area(memory, 4), 1, 4, stream.get()).code() == Code::device_mismatch);
  const MemoryPtr other = holding(1, Bytes(4, 5));
  CHECK(copy("tensor.to", area(other, 4), area(memory, 4), 1, 4, stream.get()).ok());
  CHECK(contents(memory) == Bytes(4, 5));
}

TEST_CASE("a copy that fails says so and leaves the device usable") {
  const FreshMachine machine;
  const MemoryPtr memory = holding(0, counted(4));
  Bytes to(4);
  shim::fail_next("cudaMemcpyAsync", cudaErrorInvalidValue);
  const Status status = copy("tensor.to", area(memory, 4), area(to, 4), 1, 4, nullptr);
  CHECK(status.code() == Code::cuda);
  CHECK(status.message() ==
        "[tensor.to] expected cuda:0 to copy, received cudaErrorInvalidValue (invalid argument)");
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(contents(memory) == counted(4));
}

TEST_CASE("a copy has waited for the device when it returns, whatever kept it from waiting well") {
  const FreshMachine machine;
  StreamPtr stream;
  REQUIRE(create_stream("test", 0, stream).ok());
  const MemoryPtr memory = holding(0, counted(4));
  shim::fail_next("cudaEventRecord", cudaErrorNotSupported);
  CHECK(clear("test", area(memory, 4), 1, 4, stream.get()).code() == Code::cuda);
  CHECK(cudaStreamQuery(static_cast<cudaStream_t>(stream->handle())) == cudaSuccess);
  shim::fail_next("cudaMemcpyAsync", cudaErrorInvalidValue, 2);
  Bytes to(4);
  constexpr std::size_t kFar = std::size_t{1} << 40;
  CHECK(copy("test", area(to, 1), {memory->data(), memory->device(), kFar}, 2, 1, stream.get())
            .code() == Code::cuda);
  CHECK(cudaStreamQuery(static_cast<cudaStream_t>(stream->handle())) == cudaSuccess);
}

TEST_CASE("the thread's own device is what it was, after anything on another") {
  const FreshMachine machine;
  REQUIRE(cudaSetDevice(0) == cudaSuccess);
  const MemoryPtr memory = holding(1, counted(4));
  StreamPtr stream;
  REQUIRE(create_stream("test", 1, stream).ok());
  REQUIRE(synchronize("test", 1, stream.get()).ok());
  int device = -1;
  REQUIRE(cudaGetDevice(&device) == cudaSuccess);
  CHECK(device == 0);
}
