// The shim on flags in global memory: blocks that run together may wait for each other, others may not.
#include <cuda_runtime.h>

#include <vector>

#include <doctest/doctest.h>

#include "cuda/shim_array.hpp"
#include "cuda/shim_launch.hpp"
#include "shim/dev.hpp"
#include "shim/shim.hpp"
#include "shim/verdict.hpp"

using papo::shim::contains;
using papo::shim::DeviceArray;
using papo::shim::Fault;
using papo::shim::report_of;

namespace {

struct RingArgs {
  int* flags;     ///< [blocks], 0 at first
  float* values;  ///< [2, blocks]
  float* sums;    ///< [blocks, threads]
  int rounds;
};

/// In each round every block writes its value, raises its flag, waits for all flags and adds up all values; its first
/// thread adds, its last one writes, and all need the sum.
__global__ void ring_kernel(const __grid_constant__ RingArgs args) {
  using namespace papo::dev;
  auto* sum = reinterpret_cast<float*>(shared_memory());
  float own = static_cast<float>(block_index() + 1);
  for (int round = 1; round <= args.rounds; ++round) {
    // Two sets of values: a block may still read the last round's while another writes the next.
    float* values = args.values + (round % 2) * grid_size();
    if (thread_index() == block_size() - 1) {
      store_element(values + block_index(), own);
      store_release(args.flags + block_index(), round);
    }
    if (thread_index() < grid_size()) wait_at_least(args.flags + thread_index(), round);
    sync_block();
    if (thread_index() == 0) {
      *sum = 0;
      for (unsigned block = 0; block < grid_size(); ++block) *sum += load_element(values + block);
    }
    sync_block();
    own = *sum / static_cast<float>(grid_size()) + static_cast<float>(block_index());
    args.sums[block_index() * block_size() + thread_index()] = *sum;
  }
}

std::string ring(bool cooperative, bool& right) {
  constexpr unsigned kBlocks = 4, kThreads = 64;
  constexpr int kRounds = 4;
  const DeviceArray<int> flags(std::vector<int>(kBlocks, 0));
  const DeviceArray<float> values(std::vector<float>(2 * kBlocks, -1000.0F));
  const DeviceArray<float> sums(kBlocks * kThreads);
  const std::string report = report_of({kBlocks, kThreads, 4, 1, cooperative}, ring_kernel,
                                       RingArgs{flags.data(), values.data(), sums.data(), kRounds});
  float expected = 1 + 2 + 3 + 4;
  for (int round = 1; round < kRounds; ++round) expected = expected + 0 + 1 + 2 + 3;
  right = sums.read() == std::vector<float>(kBlocks * kThreads, expected);
  return report;
}

__global__ void polling_kernel(const __grid_constant__ RingArgs args) {
  if (papo::dev::block_index() == 1) papo::dev::store_release(args.flags, 1);
  if (papo::dev::block_index() == 0) {
    while (papo::dev::load_acquire(args.flags) == 0) {
    }
  }
}

}  // namespace

TEST_CASE("shim: blocks of a cooperative grid can wait for each other") {
  for (unsigned seed = 0; seed < 8; ++seed) {
    papo::shim::set_seed(seed);
    bool right = false;
    CHECK(ring(true, right) == "");
    CHECK(right);
  }
}

TEST_CASE("shim: blocks of any other grid that wait for each other are a deadlock") {
  for (unsigned seed = 0; seed < 4; ++seed) {
    papo::shim::set_seed(seed);
    bool right = false;
    const std::string report = ring(false, right);
    CHECK(contains(report, "for a flag in global memory"));
    CHECK(contains(report, "without a cooperative launch"));
  }
}

TEST_CASE("shim: a thread that polls without giving way is reported") {
  papo::shim::set_seed(0);
  const DeviceArray<int> flags(std::vector<int>(1, 0));
  CHECK(contains(
      report_of({2, 32, 0, 1, true}, polling_kernel, RingArgs{flags.data(), nullptr, nullptr, 0}),
      "polls a flag"));
}

TEST_CASE("shim: every fault planted in an exchange through flags is noticed") {
  const auto passes = [] {
    bool right = false;
    return ring(true, right) == "" && right;
  };
  CHECK(papo::shim::survives(passes, nullptr, 0, 4));
  const std::vector<Fault> faults = papo::shim::kernel_faults_of(passes);
  CHECK(faults.size() == 5);
  for (const Fault& fault : faults) {
    INFO(papo::shim::name_of(fault));
    CHECK_FALSE(papo::shim::survives(passes, &fault, 0, 4));
  }
}
