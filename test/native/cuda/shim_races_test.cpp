// The shim's watch for races on kernels of two accesses: what orders them on a GPU, and what does not.
#include <cuda_runtime.h>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/shim_array.hpp"
#include "cuda/shim_launch.hpp"
#include "shim/dev.hpp"
#include "shim/races.hpp"
#include "shim/shim.hpp"

using papo::shim::contains;
using papo::shim::DeviceArray;
using papo::shim::report_of;

namespace {

enum class Between {
  nothing,
  block_barrier,
  block_vote,
  warp_barrier,
  shuffle,
  cluster_barrier,
  flag,
  flag_read_too_early
};

struct PairArgs {
  Between between;
  unsigned writer, reader;  ///< threads of the first block
  int* global;              ///< [2]: the number, and a flag; null: the number is in shared memory
  unsigned* result;
};

/// One thread writes a number, another one reads it.
__global__ void pair_kernel(const __grid_constant__ PairArgs args) {
  using namespace papo::dev;
  auto* number = args.global != nullptr ? args.global : reinterpret_cast<int*>(shared_memory());
  const bool reads_block = block_index() == grid_size() - 1;
  if (args.between == Between::flag_read_too_early && reads_block) {
    if (thread_index() == args.reader) args.result[0] = static_cast<unsigned>(*number);
  }
  if (block_index() == 0 && thread_index() == args.writer) *number = 7;
  switch (args.between) {
    case Between::nothing:
      break;
    case Between::block_barrier:
      sync_block();
      break;
    case Between::block_vote:
      sync_or(false);
      break;
    case Between::warp_barrier:
      sync_warp();
      break;
    case Between::shuffle:
      shuffle_xor(1.0F, 1);
      break;
    case Between::cluster_barrier:
      cluster_arrive_relaxed();
      cluster_wait();
      break;
    case Between::flag:
    case Between::flag_read_too_early:
      if (block_index() == 0 && thread_index() == args.writer) store_release(args.global + 1, 1);
      if (reads_block && thread_index() == args.reader) wait_at_least(args.global + 1, 1);
      break;
  }
  if (reads_block && thread_index() == args.reader) {
    args.result[0] = static_cast<unsigned>(*number);
  }
}

std::string shared_pair(Between between, unsigned writer, unsigned reader) {
  const DeviceArray<unsigned> result(1);
  return report_of({1, 64, 16}, pair_kernel,
                   PairArgs{between, writer, reader, nullptr, result.data()});
}

std::string global_pair(Between between, unsigned cluster) {
  const DeviceArray<int> numbers(std::vector<int>(2, 0));
  const DeviceArray<unsigned> result(1);
  return report_of({2, 64, 16, cluster, cluster == 1}, pair_kernel,
                   PairArgs{between, 5, 40, numbers.data(), result.data()});
}

struct RowArgs {
  float* numbers;
  unsigned per_block;
  unsigned reach;  ///< numbers of the next block that a block writes, too
};

/// Blocks that write beyond their own numbers.
__global__ void reaching_kernel(const __grid_constant__ RowArgs args) {
  using namespace papo::dev;
  float* own = args.numbers + block_index() * args.per_block;
  for (unsigned i = thread_index(); i < args.per_block + args.reach; i += block_size()) own[i] = 1;
}

std::string reaching(unsigned reach) {
  const DeviceArray<float> numbers(4 * 64 + 8);
  return report_of({4, 32}, reaching_kernel, RowArgs{numbers.data(), 64, reach});
}

}  // namespace

TEST_SUITE("races" * doctest::skip(!papo::shim::RaceWatch::kOn)) {
  TEST_CASE("shim: barriers order a write and a read in shared memory, shuffles do not") {
    for (unsigned seed = 0; seed < 4; ++seed) {
      papo::shim::set_seed(seed);
      CHECK(shared_pair(Between::block_barrier, 5, 40) == "");
      CHECK(shared_pair(Between::block_vote, 5, 40) == "");
      CHECK(shared_pair(Between::warp_barrier, 5, 6) == "");
      CHECK(shared_pair(Between::nothing, 5, 5) == "");
      CHECK(contains(shared_pair(Between::nothing, 5, 40), "race on shared byte 0 of block 0"));
      CHECK(contains(shared_pair(Between::warp_barrier, 5, 40), "race"));
      CHECK(contains(shared_pair(Between::shuffle, 5, 6), "race"));
    }
  }

  TEST_CASE("shim: a race names both places, whatever the schedule") {
    for (unsigned seed = 0; seed < 4; ++seed) {
      papo::shim::set_seed(seed);
      const std::string report = shared_pair(Between::nothing, 5, 40);
      CHECK(contains(report, "thread 5 of block 0"));
      CHECK(contains(report, "thread 40 of block 0"));
      CHECK(contains(report, "shim_races_test.cpp:"));
    }
  }

  TEST_CASE("shim: flags order blocks, relaxed cluster barriers do not") {
    for (unsigned seed = 0; seed < 4; ++seed) {
      papo::shim::set_seed(seed);
      CHECK(global_pair(Between::flag, 1) == "");
      CHECK(contains(global_pair(Between::flag_read_too_early, 1), "race on byte 0 of 8"));
      CHECK(contains(global_pair(Between::cluster_barrier, 2), "race"));
    }
  }

  TEST_CASE("shim: blocks that write each other's numbers race, even one after the other") {
    for (unsigned seed = 0; seed < 4; ++seed) {
      papo::shim::set_seed(seed);
      CHECK(reaching(0) == "");
      CHECK(contains(reaching(1), "race on byte"));
    }
  }
}
