// The shim on a small cluster kernel with everything that a fused one needs: bulk copies, an exchange, barriers.
#include <cuda_runtime.h>

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/shim_array.hpp"
#include "shim/dev.hpp"
#include "shim/report.hpp"
#include "shim/shim.hpp"
#include "shim/verdict.hpp"

using papo::shim::DeviceArray;
using papo::shim::Fault;

namespace {

struct ShareArgs {
  const float* from;
  float* to;
  unsigned per_block;  ///< numbers of a row that one block holds, a multiple of 4
};

/// Each number of a row divided by the row's sum; one cluster per row.
__global__ void share_kernel(const __grid_constant__ ShareArgs args) {
  using namespace papo::dev;
  char* memory = shared_memory();
  const auto* slice = reinterpret_cast<const float*>(memory);
  auto* slots = reinterpret_cast<float*>(memory + args.per_block * 4);
  auto* partial = slots + 4 * cluster_size();
  auto* loaded = reinterpret_cast<std::uint64_t*>(partial + block_size() / 32);
  std::uint64_t* exchanged = loaded + 1;
  const std::size_t begin = static_cast<std::size_t>(block_index()) * args.per_block;
  if (thread_index() == 0) {
    barrier_init(loaded, 1);
    barrier_init(exchanged, 1);
    fence_barrier_init();
    barrier_expect(loaded, args.per_block * 4);
    bulk_load(memory, args.from + begin, args.per_block * 4, loaded);
    barrier_expect(exchanged, 16 * cluster_size());
  }
  cluster_arrive_relaxed();
  cluster_wait();
  barrier_wait(loaded, 0);
  float sum = 0;
  for (unsigned i = thread_index(); i < args.per_block; i += block_size()) sum += slice[i];
  for (unsigned mask = 16; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  if (thread_index() % 32 == 0) partial[thread_index() / 32] = sum;
  sync_block();
  if (thread_index() < cluster_size()) {
    float whole = 0;
    for (unsigned warp = 0; warp < block_size() / 32; ++warp) whole += partial[warp];
    uint4 message = {0, 0, 0, 0};
    message.x = float_to_bits(whole);
    send(slots + 4 * cluster_rank(), message, exchanged, thread_index());
  }
  barrier_wait_for_peers(exchanged, 0);
  float total = 0;
  for (unsigned rank = 0; rank < cluster_size(); ++rank) total += slots[4 * rank];
  for (unsigned i = thread_index() * 4; i < args.per_block; i += block_size() * 4) {
    const uint4 shares = {float_to_bits(slice[i] / total), float_to_bits(slice[i + 1] / total),
                          float_to_bits(slice[i + 2] / total), float_to_bits(slice[i + 3] / total)};
    store_vector_streaming(args.to + begin + i, shares);
  }
}

struct Shape {
  unsigned rows = 3, cluster = 4, threads = 64, per_block = 512;
  std::size_t spare_bytes = 0;
};

std::size_t shared_bytes(const Shape& shape) {
  return shape.per_block * 4 + 16 * shape.cluster + shape.threads / 32 * 4 + 2 * 8 +
         shape.spare_bytes;
}

cudaError_t launch(const Shape& shape, const ShareArgs& args) {
  cudaFuncSetAttribute(share_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                       static_cast<int>(shared_bytes(shape)));
  cudaFuncSetAttribute(share_kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = shape.cluster;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = shape.rows * shape.cluster;
  config.blockDim = shape.threads;
  config.dynamicSmemBytes = shared_bytes(shape);
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, share_kernel, args);
}

/// True if the kernel runs and every number is right.
bool shares_are_right(const Shape& shape) {
  const std::size_t row = static_cast<std::size_t>(shape.cluster) * shape.per_block;
  std::vector<float> numbers(shape.rows * row);
  std::vector<float> sums(shape.rows);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>(1 + i % 7);
    sums[i / row] += numbers[i];
  }
  const DeviceArray<float> from(numbers);
  const DeviceArray<float> to(numbers.size());
  if (launch(shape, {from.data(), to.data(), shape.per_block}) != cudaSuccess) return false;
  const std::vector<float> shares = to.read();
  if (shares.size() != numbers.size()) return false;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (!(std::fabs(shares[i] * sums[i / row] - numbers[i]) < 1e-4F)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("shim: a cluster kernel is right for every cluster size and seed") {
  for (const unsigned cluster : {1U, 2U, 8U, 16U}) {
    for (unsigned seed = 0; seed < 8; ++seed) {
      papo::shim::set_seed(seed);
      CAPTURE(cluster);
      CAPTURE(seed);
      CHECK(shares_are_right({2, cluster, 256, 1024, 0}));
    }
  }
}

TEST_CASE("shim: every fault planted in a cluster kernel is noticed") {
  const Shape shape;
  const auto passes = [&] { return shares_are_right(shape); };
  const std::vector<Fault> faults = papo::shim::kernel_faults_of(passes);
  CHECK(faults.size() > 15);
  CHECK(papo::shim::survives(passes, nullptr, 0, 4));
  for (const Fault& fault : faults) {
    INFO(papo::shim::name_of(fault));
    CHECK_FALSE(papo::shim::survives(passes, &fault, 0, 4));
  }
}
