// From the lanes' states to the row's: lanes -> warp -> block -> row, always in one order, so every run gives the
// same bits.
//
// Lanes and warps add float32. From the warps on, one lane holds one policy of one part: lanes 0..15 the policy's,
// lanes 16..31 the masked one's, so up to 16 parts merge with one exponential and one logarithm's latency.
#pragma once

#include "cuda/device/layout.hpp"
#include "cuda/device/dev.cuh"
#include "math/online_softmax.hpp"

namespace papo::cuda {

PAPO_DEV unsigned lane_index() { return dev::thread_index() % 32; }
PAPO_DEV unsigned warp_index() { return dev::thread_index() / 32; }

/// Every lane gets the warp's state. `first_p` and `first_q` are the references it began with.
template <bool kMasked>
PAPO_DEV void merge_warp(RowSums<float>& state, float first_p, float first_q) {
  const bool moved = state.reference_p != first_p || (kMasked && state.reference_q != first_q);
  if (dev::warp_any(moved)) {
    float reference_p = state.reference_p;
    float reference_q = state.reference_q;
    PAPO_UNROLL
    for (unsigned mask = 16; mask > 0; mask /= 2) {
      reference_p = larger(dev::shuffle_xor(reference_p, mask), reference_p);
      if constexpr (kMasked) reference_q = larger(dev::shuffle_xor(reference_q, mask), reference_q);
    }
    rebase(state, reference_p, reference_q);
  }
  PAPO_UNROLL
  for (unsigned mask = 16; mask > 0; mask /= 2) {
    state.sum_p += dev::shuffle_xor(state.sum_p, mask);
    state.dot_p += dev::shuffle_xor(state.dot_p, mask);
    if constexpr (kMasked) {
      state.sum_q += dev::shuffle_xor(state.sum_q, mask);
      state.dot_q += dev::shuffle_xor(state.dot_q, mask);
      state.cross_p += dev::shuffle_xor(state.cross_p, mask);
      state.cross_q += dev::shuffle_xor(state.cross_q, mask);
    }
  }
  if constexpr (kMasked) {
    const bool uncovered = state.uncovered_p > -INFINITY || state.uncovered_q > -INFINITY;
    if (!dev::warp_any(uncovered)) return;
    PAPO_UNROLL
    for (unsigned mask = 16; mask > 0; mask /= 2) {
      state.uncovered_p = larger(dev::shuffle_xor(state.uncovered_p, mask), state.uncovered_p);
      state.uncovered_q = larger(dev::shuffle_xor(state.uncovered_q, mask), state.uncovered_q);
    }
  }
}

/// One policy's half of a state.
template <typename Sum>
struct PolicySums {
  float reference = kNoReference;
  Sum sum = 0;
  Sum dot = 0;
  Sum cross = 0;
  float uncovered = -INFINITY;
  float chosen = -INFINITY;
};

/// The order of a state's numbers in memory: those of the policies alternate, as in the `states` lines.
enum StateNumber { kReference, kSum, kDot, kCross, kUncovered, kChosen };
PAPO_DEV unsigned policy_of_lane() { return lane_index() / 16; }
PAPO_DEV unsigned part_of_lane() { return lane_index() % 16; }
static_assert(BlockLayout::kWarpBytes == 4 * 2 * kChosen,
              "a warp's state is all but the chosen logits");
static_assert(BlockLayout::kSlotBytes == 4 * 2 * (kChosen + 1), "a part's state is everything");

/// Lane 0 of each warp leaves its state for `load_warp_states`.
template <bool kMasked>
PAPO_DEV void store_warp_state(const RowSums<float>& state, float* warp_states) {
  if (lane_index() != 0) return;
  float* numbers = warp_states + warp_index() * (BlockLayout::kWarpBytes / 4);
  numbers[2 * kReference] = state.reference_p;
  numbers[2 * kReference + 1] = state.reference_q;
  numbers[2 * kSum] = state.sum_p;
  numbers[2 * kSum + 1] = state.sum_q;
  numbers[2 * kDot] = state.dot_p;
  numbers[2 * kDot + 1] = state.dot_q;
  numbers[2 * kCross] = state.cross_p;
  numbers[2 * kCross + 1] = state.cross_q;
  numbers[2 * kUncovered] = state.uncovered_p;
  numbers[2 * kUncovered + 1] = state.uncovered_q;
}

PAPO_DEV PolicySums<float> load_warp_states(const float* warp_states) {
  PolicySums<float> state;
  if (part_of_lane() >= kWarps) return state;
  const float* numbers =
      warp_states + part_of_lane() * (BlockLayout::kWarpBytes / 4) + policy_of_lane();
  state.reference = numbers[2 * kReference];
  state.sum = numbers[2 * kSum];
  state.dot = numbers[2 * kDot];
  state.cross = numbers[2 * kCross];
  state.uncovered = numbers[2 * kUncovered];
  return state;
}

/// Adds up the parts that the lanes of each half hold (lanes without one hold the empty state): afterwards every
/// lane has its policy's total.
template <typename Sum>
PAPO_DEV void merge_parts(PolicySums<Sum>& state) {
  float reference = state.reference;
  PAPO_UNROLL
  for (unsigned mask = 8; mask > 0; mask /= 2) {
    reference = larger(dev::shuffle_xor(reference, mask), reference);
    state.uncovered = larger(dev::shuffle_xor(state.uncovered, mask), state.uncovered);
    state.chosen = larger(dev::shuffle_xor(state.chosen, mask), state.chosen);
  }
  const Sum shift = static_cast<Sum>(state.reference) - static_cast<Sum>(reference);
  const Sum other_shift = dev::shuffle_xor(shift, 16U);
  const Sum other_sum = dev::shuffle_xor(state.sum, 16U);
  const bool covered = state.sum != 0 && other_sum != 0;
  shift_sums(exponential(shift), shift, covered ? shift - other_shift : 0, state.sum, state.dot,
             state.cross);
  state.reference = reference;
  PAPO_UNROLL
  for (unsigned mask = 8; mask > 0; mask /= 2) {
    state.sum += dev::shuffle_xor(state.sum, mask);
    state.dot += dev::shuffle_xor(state.dot, mask);
    state.cross += dev::shuffle_xor(state.cross, mask);
  }
}

template <typename Sum>
PAPO_DEV PolicySums<double> widened(const PolicySums<Sum>& state) {
  return {state.reference, state.sum, state.dot, state.cross, state.uncovered, state.chosen};
}

/// A part's state in three vectors, from the merged halves; every lane gets all of them.
struct Slot {
  uint4 vectors[3];
};

PAPO_DEV Slot slot_of(const PolicySums<float>& state) {
  const auto both = [](float own, uint4& vector, bool second) {
    const float p = dev::shuffle(own, 0U);
    const float q = dev::shuffle(own, 16U);
    (second ? vector.z : vector.x) = dev::float_to_bits(p);
    (second ? vector.w : vector.y) = dev::float_to_bits(q);
  };
  Slot slot;
  both(state.reference, slot.vectors[0], false);
  both(state.sum, slot.vectors[0], true);
  both(state.dot, slot.vectors[1], false);
  both(state.cross, slot.vectors[1], true);
  both(state.uncovered, slot.vectors[2], false);
  both(state.chosen, slot.vectors[2], true);
  return slot;
}

/// The state in `part`'s slot, as `slot_of` made it; the empty one for lanes beyond `parts`.
PAPO_DEV PolicySums<double> load_slot(const float* slots, unsigned parts) {
  PolicySums<double> state;
  if (part_of_lane() >= parts) return state;
  const float* numbers = slots + part_of_lane() * (BlockLayout::kSlotBytes / 4) + policy_of_lane();
  state.reference = numbers[2 * kReference];
  state.sum = numbers[2 * kSum];
  state.dot = numbers[2 * kDot];
  state.cross = numbers[2 * kCross];
  state.uncovered = numbers[2 * kUncovered];
  state.chosen = numbers[2 * kChosen];
  return state;
}

/// The whole row's state in every lane.
PAPO_DEV RowState both_policies(const PolicySums<double>& own) {
  RowState state;
  state.reference_p = dev::shuffle(own.reference, 0U);
  state.reference_q = dev::shuffle(own.reference, 16U);
  state.sum_p = dev::shuffle(own.sum, 0U);
  state.sum_q = dev::shuffle(own.sum, 16U);
  state.dot_p = dev::shuffle(own.dot, 0U);
  state.dot_q = dev::shuffle(own.dot, 16U);
  state.cross_p = dev::shuffle(own.cross, 0U);
  state.cross_q = dev::shuffle(own.cross, 16U);
  state.uncovered_p = dev::shuffle(own.uncovered, 0U);
  state.uncovered_q = dev::shuffle(own.uncovered, 16U);
  state.chosen_p = dev::shuffle(own.chosen, 0U);
  state.chosen_q = dev::shuffle(own.chosen, 16U);
  return state;
}

/// What this lane works on of five numbers, so that a slow function is taken of all of them at once; lanes beyond take
/// the last.
PAPO_DEV double of_lane(double a, double b, double c, double d, double e) {
  const unsigned lane = lane_index();
  return lane == 0 ? a : lane == 1 ? b : lane == 2 ? c : lane == 3 ? d : e;
}

/// The sum of two numbers over the warp's lanes, in every lane.
template <typename Sum>
PAPO_DEV void add_lanes(Sum& a, Sum& b) {
  PAPO_UNROLL
  for (unsigned mask = 16; mask > 0; mask /= 2) {
    a += dev::shuffle_xor(a, mask);
    b += dev::shuffle_xor(b, mask);
  }
}

}  // namespace papo::cuda
