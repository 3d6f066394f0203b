#include "cuda/plan.hpp"

#include <algorithm>

#include "cuda/device/layout.hpp"

namespace papo::cuda {
namespace {

/// One block alone would leave its multiprocessor idle while it exchanges; streaming, which shares it, then wins.
constexpr int kLeastResidentBlocks = 2;

constexpr std::int64_t ceiling(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t at_least(std::int64_t least, std::int64_t value) {
  return value < least ? least : value;
}

/// Clusters of 16 are for 9.x and 10.x alone; 8 are everywhere.
int most_parts(const Machine& machine) {
  return machine.compute_major == 9 || machine.compute_major == 10 ? kMostParts : 8;
}

}  // namespace

ResidentPlan resident_plan(const Machine& machine, const RowShape& shape, int parts) {
  ResidentPlan plan;
  plan.parts = parts;
  if (!machine.clusters || !shape.alike || parts > most_parts(machine)) return plan;
  const std::int64_t slice = 16 * ceiling(shape.vectors(), parts);
  const std::size_t bytes = static_cast<std::size_t>(slice) * (shape.masked ? 2 : 1) +
                            static_cast<std::size_t>(BlockLayout::of(parts).bytes);
  if (bytes > machine.shared_per_block) return plan;
  plan.slice_bytes = static_cast<int>(slice);
  plan.shared_bytes = bytes;
  const std::size_t fitting = machine.shared_per_multiprocessor / (bytes + machine.shared_reserved);
  plan.blocks = static_cast<int>(std::min<std::size_t>(fitting, kBlocksPerMultiprocessor));
  return plan;
}

int resident_plans(const Machine& machine, const RowShape& shape,
                   ResidentPlan (&plans)[kMostResidentPlans]) {
  int count = 0;
  for (int parts = 1; parts <= kMostParts; parts *= 2) {
    const ResidentPlan plan = resident_plan(machine, shape, parts);
    if (plan.blocks >= kLeastResidentBlocks) plans[count++] = plan;
  }
  // More blocks side by side hide more of each other's waiting; among equals the fewest exchange the least.
  std::stable_sort(plans, plans + count, [](const ResidentPlan& a, const ResidentPlan& b) {
    return a.blocks > b.blocks;
  });
  return count;
}

StreamingPlan streaming_plan(const Machine& machine, const RowShape& shape, int blocks, int parts) {
  const std::int64_t resident = at_least(1, std::int64_t{machine.multiprocessors} * blocks);
  // So few rows at a time that they stay in half of the L2 until they are read again.
  const auto kept = at_least(1, static_cast<std::int64_t>(machine.l2_bytes / 2) /
                                    at_least(1, static_cast<std::int64_t>(shape.row_bytes())));
  std::int64_t wanted = parts;
  if (parts == 0) {
    // A block whose threads have less than a vector each would only wait.
    wanted = std::min(ceiling(resident, kept), shape.vectors() / kThreads);
  }
  wanted = std::min<std::int64_t>(wanted, std::min<std::int64_t>(kMostParts, resident));
  if (!machine.cooperative) wanted = 1;
  StreamingPlan plan;
  plan.parts = static_cast<int>(at_least(1, wanted));
  std::int64_t teams = at_least(1, resident / plan.parts);
  if (shape.again && plan.parts > 1) {
    // Where even the most parts leave more rows than are kept, fewer teams do, down to two blocks a multiprocessor.
    const std::int64_t busy = ceiling(std::int64_t{2} * machine.multiprocessors, plan.parts);
    teams = std::min(teams, std::max(kept, busy));
  }
  plan.teams = static_cast<int>(std::min(teams, at_least(1, shape.rows)));
  return plan;
}

std::size_t team_scratch_bytes(const Machine& machine) {
  if (!machine.cooperative) return 0;
  return TeamScratch::bytes(machine.multiprocessors * kBlocksPerMultiprocessor, 1);
}

}  // namespace papo::cuda
