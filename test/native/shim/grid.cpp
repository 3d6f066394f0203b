// A grid is made: blocks with fresh shared memory, their warps and threads, group after group in the seed's order.
#include "shim/grid.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "shim/arena.hpp"

namespace papo::shim {

Group::Group(const LaunchShape& launch, const KernelCall& body, std::uint64_t seed,
             const std::vector<unsigned>& numbers)
    : shape(launch),
      kernel(body),
      policy(policy_of(seed)),
      random(seed),
      clusters(numbers.size()),
      blocks(numbers.size() * shape.cluster),
      warps(blocks.size() * shape.warps_per_block()),
      threads(blocks.size() * shape.threads),
      races(*this) {
  make_blocks(numbers);
  make_threads();
}

Group::~Group() {
  for (const Block& block : blocks) delete_arena(block.memory);
}

void Group::make_blocks(const std::vector<unsigned>& numbers) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Block& block = blocks[i];
    const unsigned number =
        numbers[i / shape.cluster] * shape.cluster + static_cast<unsigned>(i % shape.cluster);
    block.x = number % shape.grid_x;
    block.y = number / shape.grid_x;
    block.rank = static_cast<unsigned>(i % shape.cluster);
    block.cluster = &clusters[i / shape.cluster];
    block.cluster->blocks.push_back(&block);
    block.cluster->threads += shape.threads;
    block.bytes = shape.shared_bytes;
    block.memory = new_arena(block.bytes);
  }
}

void Group::make_threads() {
  const unsigned warps_per_block = shape.warps_per_block();
  ready_.reserve(warps.size());
  starved_.reserve(warps.size());
  // Under odd seeds the victim is the last one, which the others then wait for, or any.
  const std::size_t victims = blocks.size() > 1 ? blocks.size() : warps.size();
  const std::size_t victim = random.below(static_cast<std::uint32_t>(victims));
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    Block& block = blocks[b];
    block.threads = &threads[b * shape.threads];
    block.thread_count = shape.threads;
    block.warps = &warps[b * warps_per_block];
    block.warp_count = warps_per_block;
    for (unsigned w = 0; w < warps_per_block; ++w) {
      Warp& warp = block.warps[w];
      warp.block = &block;
      warp.index = w;
      warp.threads = block.threads + 32 * w;
      warp.lanes = std::min(32U, shape.threads - 32 * w);
      warp.rotation = warp.lanes == 32 ? random.below(32) : 0;
      warp.starved = policy.starves && (blocks.size() > 1 ? b : w) == victim;
    }
    for (unsigned t = 0; t < shape.threads; ++t) {
      Thread& thread = block.threads[t];
      thread.block = &block;
      thread.warp = block.warps + t / 32;
      thread.index = t;
      thread.lane = t % 32;
    }
  }
}

std::string run_grid(const LaunchShape& shape, const KernelCall& kernel, std::uint64_t seed) {
  const Policy policy = policy_of(seed);
  std::vector<unsigned> order(shape.blocks() / shape.cluster);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<unsigned>(i);
  if (policy.groups_descend) std::reverse(order.begin(), order.end());
  if (policy.pick == Policy::Pick::random) {
    Random random(seed);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    }
  }
  const std::size_t together = shape.cooperative ? order.size() : policy.clusters_together;
  for (std::size_t begin = 0; begin < order.size(); begin += together) {
    const std::size_t end = std::min(begin + together, order.size());
    const std::vector<unsigned> numbers(order.begin() + static_cast<std::ptrdiff_t>(begin),
                                        order.begin() + static_cast<std::ptrdiff_t>(end));
    Group group(shape, kernel, seed + begin / together * 4, numbers);
    std::string failure = group.run();
    if (!failure.empty()) return failure;
  }
  return {};
}

}  // namespace papo::shim
