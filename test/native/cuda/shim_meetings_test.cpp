// The shim on kernels of a few lines: warps, blocks and clusters meet, and where they do not, the report says who.
#include <cuda_runtime.h>

#include <vector>

#include <doctest/doctest.h>

#include "cuda/shim_array.hpp"
#include "cuda/shim_launch.hpp"
#include "shim/dev.hpp"
#include "shim/shim.hpp"

using papo::shim::contains;
using papo::shim::DeviceArray;
using papo::shim::report_of;

namespace {

struct SumArgs {
  const float* from;
  float* to;
};

__global__ void sum_kernel(const __grid_constant__ SumArgs args) {
  using namespace papo::dev;
  auto* partial = reinterpret_cast<float*>(shared_memory());
  float value = args.from[block_index() * block_size() + thread_index()];
  for (unsigned mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  if (thread_index() % 32 == 0) partial[thread_index() / 32] = value;
  sync_block();
  if (thread_index() == 0) {
    float sum = 0;
    for (unsigned warp = 0; warp < block_size() / 32; ++warp) sum += partial[warp];
    args.to[block_index()] = sum;
  }
}

struct VoteArgs {
  unsigned voter;
  unsigned* to;
};

__global__ void vote_kernel(const __grid_constant__ VoteArgs args) {
  using namespace papo::dev;
  const bool mine = thread_index() == args.voter;
  const unsigned warp = warp_any(mine) ? 1 : 0;
  const unsigned block = sync_or(mine) ? 2 : 0;
  const unsigned lane = shuffle(thread_index(), 7) == thread_index() / 32 * 32 + 7 ? 4 : 0;
  args.to[thread_index()] = warp + block + lane;
}

enum class Mistake {
  none,
  divergent_barrier,
  early_exit,
  late_barrier,
  divergent_shuffle,
  lonely_lane,
  cluster_without_arrive,
  cluster_without_wait,
  cluster_exit
};

__global__ void mistaken_kernel(const __grid_constant__ Mistake mistake) {
  using namespace papo::dev;
  const bool odd = thread_index() % 2 == 1;
  switch (mistake) {
    case Mistake::none:
      return;
    case Mistake::divergent_barrier:
      if (odd) {
        sync_block();
      } else {
        sync_block();
      }
      return;
    case Mistake::early_exit:
    case Mistake::late_barrier:
      if (odd == (mistake == Mistake::early_exit)) return;
      sync_block();
      return;
    case Mistake::divergent_shuffle:
      if (odd) {
        shuffle_xor(1.0F, 1);
      } else {
        shuffle_xor(2.0F, 1);
      }
      return;
    case Mistake::lonely_lane:
      if (thread_index() == 3) shuffle_xor(1.0F, 1);
      sync_block();
      return;
    case Mistake::cluster_without_arrive:
      cluster_wait();
      return;
    case Mistake::cluster_without_wait:
      cluster_arrive_relaxed();
      return;
    case Mistake::cluster_exit:
      if (cluster_rank() == 1) return;
      cluster_arrive_relaxed();
      cluster_wait();
      return;
  }
}

std::string report_of_mistake(Mistake mistake, unsigned cluster = 1) {
  return report_of({cluster, 64, 0, cluster, false}, mistaken_kernel, mistake);
}

}  // namespace

TEST_CASE("shim: a sum by shuffles and shared memory is right under every seed") {
  constexpr unsigned kBlocks = 3, kThreads = 256;
  std::vector<float> numbers(kBlocks * kThreads);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i % 17);
  const DeviceArray<float> from(numbers);
  const DeviceArray<float> to(kBlocks);
  for (unsigned seed = 0; seed < 8; ++seed) {
    papo::shim::set_seed(seed);
    CHECK(report_of({kBlocks, kThreads, kThreads / 32 * 4}, sum_kernel,
                    SumArgs{from.data(), to.data()}) == "");
    const std::vector<float> sums = to.read();
    for (unsigned block = 0; block < kBlocks; ++block) {
      float expected = 0;
      for (unsigned i = 0; i < kThreads; ++i) expected += numbers[block * kThreads + i];
      CHECK(sums[block] == expected);
    }
  }
}

TEST_CASE("shim: votes reach the warp and the block, and shuffles their lane") {
  const DeviceArray<unsigned> to(64);
  for (unsigned seed = 0; seed < 4; ++seed) {
    papo::shim::set_seed(seed);
    CHECK(report_of({1, 64}, vote_kernel, VoteArgs{40, to.data()}) == "");
    const std::vector<unsigned> votes = to.read();
    for (unsigned i = 0; i < 64; ++i) CHECK(votes[i] == (i < 32 ? 6 : 7));
  }
}

TEST_CASE("shim: threads that do not meet are reported under every seed") {
  for (unsigned seed = 0; seed < 8; ++seed) {
    papo::shim::set_seed(seed);
    CAPTURE(seed);
    CHECK(report_of_mistake(Mistake::none) == "");
    CHECK(
        contains(report_of_mistake(Mistake::divergent_barrier), "while others of its block wait"));
    CHECK(contains(report_of_mistake(Mistake::early_exit), "kernel"));
    CHECK(contains(report_of_mistake(Mistake::late_barrier), "kernel"));
    CHECK(contains(report_of_mistake(Mistake::divergent_shuffle), "while others of its warp wait"));
    CHECK(contains(report_of_mistake(Mistake::lonely_lane), "thread"));
    CHECK(
        contains(report_of_mistake(Mistake::cluster_without_arrive, 2), "without having arrived"));
    CHECK(contains(report_of_mistake(Mistake::cluster_without_wait, 2), "without waiting"));
    CHECK(contains(report_of_mistake(Mistake::cluster_exit, 2), "cluster"));
  }
}

TEST_CASE("shim: a deadlock is reported with who waits where") {
  papo::shim::set_seed(0);
  const std::string report = report_of_mistake(Mistake::lonely_lane);
  CAPTURE(report);
  CHECK(contains(report, "deadlock"));
  CHECK(contains(report, "block 0: threads 3 wait for the rest of their warp"));
  CHECK(contains(report, "block 0: threads 0-2, 4-63 wait for the rest of their block"));
  CHECK(contains(report, "shim_meetings_test.cpp:"));
}
