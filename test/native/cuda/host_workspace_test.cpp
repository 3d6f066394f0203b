// What calls need beside their tensors: handed from call to call, bounded, and given up when memory is short.
#include <cuda_runtime.h>

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "cuda/memory.hpp"
#include "cuda/workspace.hpp"
#include "host_machine.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

std::unique_ptr<Workspace> taken(std::size_t bytes) {
  auto workspace = std::make_unique<Workspace>();
  const Status status = workspace->take("test", 0, bytes);
  REQUIRE_MESSAGE(status.ok(), status.message());
  return workspace;
}

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

}  // namespace

TEST_CASE("blocks are used again by the next call, and two calls at once have different ones") {
  const FreshMachine machine;
  auto first = taken(100);
  auto second = taken(100);
  char* const block = first->device();
  CHECK(block != second->device());
  CHECK(first->pinned() != second->pinned());
  first.reset();
  CHECK(kept_bytes(0) == 2 * 64 * kKiB);
  CHECK(taken(64 * kKiB)->device() == block);
  second.reset();
  CHECK(shim::live().device_allocations == 2);
  CHECK(shim::live().pinned_allocations == 2);
}

TEST_CASE("the smallest blocks that fit are taken, and larger ones take the place of the largest") {
  const FreshMachine machine;
  auto small = taken(1);
  auto large = taken(kMiB);
  char* const small_block = small->device();
  char* const large_block = large->device();
  for (const bool small_first : {true, false}) {
    (small_first ? small : large).reset();
    (small_first ? large : small).reset();
    large = taken(100 * kKiB);
    CHECK(large->device() == large_block);
    small = taken(1);
    CHECK(small->device() == small_block);
  }
  large.reset();
  small.reset();
  taken(2 * kMiB).reset();
  CHECK(shim::live().device_bytes == 2 * kMiB + 64 * kKiB);
  CHECK(shim::live().pinned_bytes == 2 * kMiB + 64 * kKiB);
}

TEST_CASE("scratch grows and stays with its blocks") {
  const FreshMachine machine;
  auto workspace = taken(1);
  REQUIRE(workspace->reserve_scratch("test", 0).ok());
  CHECK(workspace->scratch().data == nullptr);
  REQUIRE(workspace->reserve_scratch("test", 100 * kKiB).ok());
  CHECK(workspace->scratch().bytes == 128 * kKiB);
  void* const data = workspace->scratch().data;
  REQUIRE(workspace->reserve_scratch("test", 128 * kKiB).ok());
  CHECK(workspace->scratch().data == data);
  workspace.reset();
  CHECK(kept_bytes(0) == (2 * 64 + 128) * kKiB);
  CHECK(taken(1)->scratch().data == data);
}

TEST_CASE("no more is kept than the bound, and nothing that was spoilt") {
  const FreshMachine machine(std::size_t{1} << 30);
  {
    const auto first = taken(kKeptBytes / 2);
    const auto second = taken(kKeptBytes / 2);
    const auto spoilt = taken(1);
    REQUIRE(spoilt->reserve_scratch("test", 1).ok());
    spoilt->spoil();
  }
  CHECK(kept_bytes(0) == kKeptBytes);
  CHECK(shim::live().device_bytes == kKeptBytes / 2);
  CHECK(shim::live().pinned_bytes == kKeptBytes / 2);
}

TEST_CASE("memory that idle blocks hold is given to whoever needs it") {
  const FreshMachine machine(kMiB);
  taken(512 * kKiB).reset();
  CHECK(kept_bytes(0) == kMiB);
  MemoryPtr memory;
  REQUIRE(allocate("test", 0, 768 * kKiB, memory).ok());
  CHECK(kept_bytes(0) == 0);
  CHECK(shim::live().pinned_bytes == 0);
  memory.reset();
  {
    const auto used = taken(256 * kKiB);
    const auto idle = taken(256 * kKiB);
  }
  const auto whole = taken(kMiB);
  CHECK(shim::live().device_bytes == kMiB);
}

TEST_CASE(
    "blocks for which there is no memory are refused with their size, and nothing is left behind") {
  const FreshMachine machine(kMiB);
  Workspace workspace;
  Status status = workspace.take("papoLoss", 0, 3 * kMiB);
  CHECK(status.code() == Code::out_of_memory);
  CHECK(status.message() ==
        "[papoLoss] expected 4194304 bytes (4 MiB) for the rows' numbers on cuda:0, received out "
        "of memory: free are 1048576 bytes (1 MiB) of 1048576 bytes (1 MiB)");
  shim::fail_next("cudaHostAlloc", cudaErrorMemoryAllocation);
  status = workspace.take("papoLoss", 0, 1);
  CHECK(status.code() == Code::out_of_memory);
  CHECK(status.message() ==
        "[papoLoss] expected 65536 bytes (64 KiB) of page-locked memory on the host, received out "
        "of memory");
  shim::fail_next("cudaHostAlloc", cudaErrorNotSupported);
  status = workspace.take("papoLoss", 0, 1);
  CHECK(status.message() ==
        "[papoLoss] expected cuda:0 to give page-locked memory, received cudaErrorNotSupported "
        "(operation not supported)");
  CHECK(shim::live().device_allocations == 0);
  CHECK(cudaGetLastError() == cudaSuccess);
  REQUIRE(workspace.take("papoLoss", 0, 1).ok());
  REQUIRE(workspace.reserve_scratch("papoLoss", 1).ok());
  status = workspace.reserve_scratch("papoLoss", kMiB);
  CHECK(status.code() == Code::out_of_memory);
  CHECK(status.message() ==
        "[papoLoss] expected 1048576 bytes (1 MiB) of scratch on cuda:0, received out of memory: "
        "free are 983040 bytes (960 KiB) of 1048576 bytes (1 MiB)");
  CHECK(workspace.scratch().bytes == 0);
  CHECK(workspace.reserve_scratch("papoLoss", 1).ok());
}
