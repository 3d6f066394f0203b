// The blocks that share a row, and how they tell each other their part's state: one exchange, merged by rank in every
// block, so all of them continue with the same bits.
#pragma once

#include <cstring>

#include "cuda/device/merge.cuh"

namespace papo::cuda {

/// Two float64 as one vector.
PAPO_DEV uint4 vector_of(double a, double b) {
  uint4 vector;
  std::memcpy(&vector.x, &a, sizeof a);
  std::memcpy(&vector.z, &b, sizeof b);
  return vector;
}

/// The two numbers in a slot of one vector each; 0 for lanes beyond `parts`.
PAPO_DEV void load_pair(const double* pairs, unsigned stride, unsigned parts, double& a,
                        double& b) {
  a = lane_index() < parts ? pairs[lane_index() * stride] : 0;
  b = lane_index() < parts ? pairs[lane_index() * stride + 1] : 0;
  add_lanes(a, b);
}

/// The blocks of a cluster: each sends its state into every other's shared memory, where a transaction barrier counts
/// the bytes. Nobody leaves before its own slots are full, so nobody writes into a block that has left.
struct Cluster {
  unsigned rank;
  unsigned size;
  char* memory;
  BlockLayout layout;

  PAPO_DEV Cluster(int parts, char* fixed)
      : rank(dev::cluster_rank()),
        size(static_cast<unsigned>(parts)),
        memory(fixed),
        layout(BlockLayout::of(parts)) {}

  PAPO_DEV std::uint64_t* barriers() const {
    return reinterpret_cast<std::uint64_t*>(memory + layout.barriers);
  }
  PAPO_DEV std::uint64_t* state_barrier() const { return barriers() + kChunks; }
  PAPO_DEV std::uint64_t* pair_barrier() const { return barriers() + kChunks + 1; }

  /// One thread, before any other comes near a barrier.
  PAPO_DEV void make_barriers() const {
    for (int i = 0; i < BlockLayout::kBarriers; ++i) dev::barrier_init(barriers() + i, 1);
    dev::fence_barrier_init();
    if (size > 1) dev::barrier_expect(state_barrier(), size * BlockLayout::kSlotBytes);
  }
  /// All threads: the first after the barriers are made, the second before anything is sent.
  PAPO_DEV void begin() const {
    if (size > 1) dev::cluster_arrive_relaxed();
  }
  PAPO_DEV void wait_for_all() const {
    if (size > 1) dev::cluster_wait();
  }

  /// The first warp, with the block's state in the lanes of each half.
  PAPO_DEV PolicySums<double> exchange(const PolicySums<float>& own) {
    if (size == 1) return widened(own);
    const Slot slot = slot_of(own);
    char* own_slot = memory + layout.slots + rank * BlockLayout::kSlotBytes;
    if (lane_index() < size) {
      for (unsigned i = 0; i < 3; ++i) {
        dev::send(own_slot + 16 * i, slot.vectors[i], state_barrier(), lane_index());
      }
    }
    dev::barrier_wait_for_peers(state_barrier(), 0);
    PolicySums<double> row = load_slot(reinterpret_cast<const float*>(memory + layout.slots), size);
    // The slots have been read by every lane: they make room for other numbers from here on.
    dev::sync_warp();
    merge_parts(row);
    return row;
  }

  /// The sums of two numbers over the blocks.
  PAPO_DEV void exchange_pair(double& a, double& b) {
    if (size == 1) return;
    char* pairs = memory + layout.pair_slots;
    // Only now: few rows come here. What a faster block sent before is counted, and waits for this.
    if (lane_index() == 0) dev::barrier_expect(pair_barrier(), size * BlockLayout::kPairBytes);
    if (lane_index() < size) {
      dev::send(pairs + rank * BlockLayout::kPairBytes, vector_of(a, b), pair_barrier(),
                lane_index());
    }
    dev::barrier_wait_for_peers(pair_barrier(), 0);
    load_pair(reinterpret_cast<const double*>(pairs), 2, size, a, b);
  }
};

/// Blocks of a cooperative grid: states go through global memory. Each block raises its flag to the number of the
/// exchange, which never falls; two buffers suffice, since a block that writes one again has seen everybody raise
/// the flag of the exchange between, and so leave it.
struct GlobalTeam {
  unsigned rank;
  unsigned size;
  char* memory;
  BlockLayout layout;
  int epoch = 0;
  int teams;
  void* scratch;

  static constexpr unsigned kSlotFloats = BlockLayout::kSlotBytes / 4;

  PAPO_DEV GlobalTeam(int teams_of_grid, int parts, char* fixed, void* scratch_of_grid)
      : rank(dev::block_index() % static_cast<unsigned>(parts)),
        size(static_cast<unsigned>(parts)),
        memory(fixed),
        layout(BlockLayout::of(1)),
        teams(teams_of_grid),
        scratch(scratch_of_grid) {}

  PAPO_DEV void wait_for_all() const {}

  PAPO_DEV PolicySums<double> exchange(const PolicySums<float>& own) {
    if (size == 1) return widened(own);
    const Slot slot = slot_of(own);
    ++epoch;
    float* slots = slots_of_exchange();
    if (lane_index() == 0) {
      for (unsigned i = 0; i < 3; ++i) {
        dev::store_vector(slots + rank * kSlotFloats + 4 * i, slot.vectors[i]);
      }
    }
    raise_and_wait(part_of_lane());
    PolicySums<double> row = load_slot(slots, size);
    merge_parts(row);
    return row;
  }

  PAPO_DEV void exchange_pair(double& a, double& b) {
    if (size == 1) return;
    ++epoch;
    float* slots = slots_of_exchange();
    if (lane_index() == 0) dev::store_vector(slots + rank * kSlotFloats, vector_of(a, b));
    raise_and_wait(lane_index());
    load_pair(reinterpret_cast<const double*>(slots), kSlotFloats / 2, size, a, b);
  }

 private:
  PAPO_DEV unsigned first_block() const { return dev::block_index() - rank; }

  PAPO_DEV float* slots_of_exchange() const {
    char* all =
        static_cast<char*>(scratch) + TeamScratch::flag_bytes(teams, static_cast<int>(size));
    return reinterpret_cast<float*>(all) +
           (2 * first_block() + static_cast<unsigned>(epoch & 1) * size) * kSlotFloats;
  }

  /// Lane 0 has written this block's slot; each lane returns when it may read that of `part`, if there is one.
  PAPO_DEV void raise_and_wait(unsigned part) const {
    int* flags = static_cast<int*>(scratch) + first_block();
    if (lane_index() == 0) dev::store_release(flags + rank, epoch);
    if (part < size) dev::wait_at_least(flags + part, epoch);
  }
};

}  // namespace papo::cuda
