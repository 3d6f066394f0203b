// Where threads meet: warp-wide exchanges, the block's barrier, the cluster's barrier, and flags in global memory.
#include <algorithm>

#include "shim/grid.hpp"
#include "shim/primitives.hpp"
#include "shim/report.hpp"

namespace papo::shim {
namespace {

/// Polls of one flag in a row, by threads that never give way, after which nothing can be hoped for.
constexpr unsigned kPollLimit = 100000;
unsigned polls = 0;

/// "thread 3 of block 0 is in sync_block (a.cu:5), the others of its warp in shuffle (a.cu:9)"
std::string disagreement(const char* operation, Where where, const char* among, const char* other,
                         Where elsewhere) {
  return name_of(*current) + " has come to " + operation + " (" + name_of(where) +
         ") while others of its " + among + " wait in " + other + " (" + name_of(elsewhere) + ")";
}

/// What the flag's last release ordered now comes before what this thread does.
void acquire(const int* flag) {
  const auto& clocks = running_group->flag_clocks;
  const auto found = clocks.find(flag);
  if (found != clocks.end()) running_group->races.acquire(*current, found->second);
}

}  // namespace

Place place() {
  const Block& block = *current->block;
  const LaunchShape& shape = running_group->shape;
  return {current->index, shape.threads, block.x,       block.y,     shape.grid_x,
          shape.grid_y,   block.rank,    shape.cluster, block.memory};
}

void atomic_min(unsigned long long* to, unsigned long long value) { *to = std::min(*to, value); }

const std::uint64_t* meet_in_warp(const char* operation, std::uint64_t value, bool orders,
                                  Where where) {
  Warp& warp = *current->warp;
  if (warp.lanes != 32) {
    fail(text("%s (%s) in a warp of only %u threads", operation, name_of(where).c_str(),
              warp.lanes));
  }
  if (warp.arrived == 0) {
    for (unsigned lane = 0; lane < warp.lanes; ++lane) {
      if (!warp.threads[lane].done) continue;
      fail(text("%s (%s): ", operation, name_of(where).c_str()) + name_of(warp.threads[lane]) +
           " has already left the kernel");
    }
    warp.operation = operation;
    warp.where = where;
  } else if (warp.operation != operation || warp.where != where) {
    fail(disagreement(operation, where, "warp", warp.operation, warp.where));
  }
  std::uint64_t* values = warp.values[warp.meetings % 2];
  values[current->lane] = value;
  warp.arrived |= 1U << current->lane;
  if (warp.arrived == warp.all()) {
    warp.arrived = 0;
    ++warp.meetings;
    warp.ready |= warp.all() & ~(1U << current->lane);
    if (orders) running_group->races.all_met(warp.threads, warp.lanes);
    maybe_interrupt();
  } else {
    wait_here(Wait::warp, where);
  }
  return values;
}

bool meet_in_block(const char* operation, bool value, Where where) {
  Block& block = *current->block;
  if (block.exited != 0) {
    fail(name_of(*current) + " waits in " + operation + " (" + name_of(where) + "), but " +
         text("%u threads of its block have left the kernel", block.exited));
  }
  if (block.arrived == 0) {
    block.operation = operation;
    block.where = where;
    block.any = false;
  } else if (block.operation != operation || block.where != where) {
    fail(disagreement(operation, where, "block", block.operation, block.where));
  }
  block.any = block.any || value;
  if (++block.arrived == block.thread_count) {
    block.arrived = 0;
    block.any_result = block.any;
    running_group->races.all_met(block.threads, block.thread_count);
    running_group->wake_block(block);
    maybe_interrupt();
  } else {
    wait_here(Wait::block, where);
  }
  return block.any_result;
}

void arrive_at_cluster(Where where) {
  Cluster& cluster = *current->block->cluster;
  if (running_group->shape.capability < 90) {
    fail(name_of(where) + ": clusters need compute capability 9.0");
  }
  if (current->between_arrive_and_wait) {
    fail(name_of(*current) + " arrives at the cluster's barrier (" + name_of(where) +
         ") a second time without having waited (" + name_of(current->cluster_where) + ")");
  }
  if (cluster.exited != 0) {
    fail(name_of(*current) + " arrives at the cluster's barrier (" + name_of(where) + "), but " +
         text("%u threads of its cluster have left the kernel", cluster.exited));
  }
  current->between_arrive_and_wait = true;
  current->cluster_phase = cluster.phase;
  current->cluster_where = where;
  for (TransactionBarrier& barrier : current->block->barriers) {
    if (barrier.maker == current && barrier.known && barrier.known_phase == 0) {
      barrier.known_phase = cluster.phase + 1;
    }
  }
  if (++cluster.arrived < cluster.threads) return;
  cluster.arrived = 0;
  ++cluster.phase;
  running_group->races.cluster_met(cluster);
  for (const Block* block : cluster.blocks) {
    for (unsigned i = 0; i < block->thread_count; ++i) {
      Thread& thread = block->threads[i];
      if (thread.wait == Wait::cluster) running_group->wake(thread);
    }
  }
  maybe_interrupt();
}

void wait_for_cluster(Where where) {
  if (!current->between_arrive_and_wait) {
    fail(name_of(*current) + " waits for the cluster's barrier (" + name_of(where) +
         ") without having arrived");
  }
  current->between_arrive_and_wait = false;
  const Cluster& cluster = *current->block->cluster;
  if (cluster.phase == current->cluster_phase) wait_here(Wait::cluster, where);
  running_group->races.cluster_waited(*current);
}

int acquire_flag(const int* flag, Where where) {
  if (++polls > kPollLimit) {
    polls = 0;
    fail(name_of(*current) + " polls a flag (" + name_of(where) +
         ") without giving way: wait with wait_at_least");
  }
  maybe_interrupt();
  acquire(flag);
  return *flag;
}

void release_flag(int* flag, int value) {
  polls = 0;
  *flag = value;
  ClockPtr& clock = running_group->flag_clocks[flag];
  clock = nullptr;
  running_group->races.release(*current, clock);
  auto& waits = running_group->flag_waits;
  for (std::size_t i = 0; i < waits.size();) {
    if (waits[i].flag == flag && value >= waits[i].value) {
      running_group->wake(*waits[i].thread);
      waits[i] = waits.back();
      waits.pop_back();
    } else {
      ++i;
    }
  }
  maybe_interrupt();
}

void wait_for_flag(const int* flag, int value, Where where) {
  polls = 0;
  while (*flag < value) {
    running_group->flag_waits.push_back({current, flag, value});
    wait_here(Wait::flag, where, flag);
  }
  acquire(flag);
}

}  // namespace papo::shim
