// The walk down the vocabulary, one thread's part: vectors of both policies' logits -> RowSums<float>.
//
// A group (one vector of each policy) is first added plainly, relative to the references found so far: no clamps, no
// running maximum. One test at its end finds what that cannot hold: a logit far above its reference makes the sum of
// exponentials large, -Infinity makes 0 * Infinity = NaN in the dot, NaN and +Infinity make NaN. Such a group is added
// again carefully: the references move up first, and -Infinity is told apart. Most rows have a few such groups.
#pragma once

#include "cuda/device/vectors.cuh"
#include "math/online_softmax.hpp"

namespace papo::cuda {

inline constexpr float kLog2E = 1.4426950408889634F;
/// A group whose exponentials sum to more has its references moved. A logit that holds much of its row then lies at
/// most 2.3 (float32: 1.6) above its reference, or at it: an exponential is off by 2^-22 and by the rounding of its
/// argument, which grows with |t|, and at t = 0 by nothing. More than the number of entries, or a row of equal logits
/// would trip in every group.
template <typename T>
inline constexpr float kMostSum = 1.25F * kEntries<T>;

PAPO_DEV float exponential_of(float t) { return dev::exp2_approx(t * kLog2E); }

/// The largest logit, whatever NaN is among them; -Infinity if there is none.
template <typename T>
PAPO_DEV float largest(const uint4& vector) {
  float x[kEntries<T>];
  unpack<T>(vector, x);
  float result = x[0];
  PAPO_UNROLL
  for (int i = 1; i < kEntries<T>; ++i) result = fmaxf(result, x[i]);
  return result;
}

/// A reference for the warp from its first vectors. All lanes take part.
template <typename T>
PAPO_DEV float first_reference(const uint4& vector, float scale) {
  float highest = largest<T>(vector);
  PAPO_UNROLL
  for (unsigned mask = 16; mask > 0; mask /= 2) {
    highest = fmaxf(highest, dev::shuffle_xor(highest, mask));
  }
  return larger(highest * scale, kNoReference);
}

/// A lane's state, and what rounding has added to its two sums. Where a lane holds the row's peak its sum is about 1 and
/// the groups after it are lost in its last digits, five times of which reach the entropy.
struct LaneSums : RowSums<float> {
  float excess_p = 0;
  float excess_q = 0;

  PAPO_DEV void settle() {
    sum_p -= excess_p;
    sum_q -= excess_q;
    excess_p = excess_q = 0;
  }
};

/// Kahan's addition.
PAPO_DEV void add_compensated(float& sum, float& excess, float value) {
  const float addend = value - excess;
  const float total = sum + addend;
  excess = (total - sum) - addend;
  sum = total;
}

/// Adds a group; false, and nothing added, if it takes the careful form.
template <typename T, bool kMasked>
PAPO_DEV bool add_plainly(LaneSums& state, const uint4& p, const uint4& q, float scale) {
  float x_p[kEntries<T>];
  float x_q[kEntries<T>];
  unpack<T>(p, x_p);
  if constexpr (kMasked) unpack<T>(q, x_q);
  float sum_p = 0, dot_p = 0, cross_p = 0;
  float sum_q = 0, dot_q = 0, cross_q = 0;
  PAPO_UNROLL
  for (int i = 0; i < kEntries<T>; ++i) {
    const float t_p = fmaf(x_p[i], scale, -state.reference_p);
    const float e_p = exponential_of(t_p);
    // The first entry begins the sums instead of adding to 0: two instructions less.
    sum_p = i == 0 ? e_p : sum_p + e_p;
    dot_p = i == 0 ? e_p * t_p : fmaf(e_p, t_p, dot_p);
    if constexpr (kMasked) {
      const float t_q = fmaf(x_q[i], scale, -state.reference_q);
      const float e_q = exponential_of(t_q);
      const float difference = t_p - t_q;
      sum_q = i == 0 ? e_q : sum_q + e_q;
      dot_q = i == 0 ? e_q * t_q : fmaf(e_q, t_q, dot_q);
      cross_p = i == 0 ? e_p * difference : fmaf(e_p, difference, cross_p);
      cross_q = i == 0 ? e_q * difference : fmaf(e_q, difference, cross_q);
    }
  }
  bool plain = sum_p <= kMostSum<T>;
  if constexpr (kMasked) {
    // Each dot finds its policy's -Infinity; a difference is not finite only where one of them is not.
    plain = plain & (sum_q <= kMostSum<T>)&(dot_p == dot_p) & (dot_q == dot_q);
  } else {
    plain = plain & (dot_p == dot_p);
  }
  if (!plain) return false;
  add_compensated(state.sum_p, state.excess_p, sum_p);
  state.dot_p += dot_p;
  if constexpr (kMasked) {
    add_compensated(state.sum_q, state.excess_q, sum_q);
    state.dot_q += dot_q;
    state.cross_p += cross_p;
    state.cross_q -= cross_q;
  }
  return true;
}

/// Moves the references up to where logits of at most these values can be added.
template <bool kMasked>
PAPO_DEV void raise_references(RowSums<float>& state, float highest_p, float highest_q,
                               float scale) {
  const float reference_p = larger(highest_p * scale, state.reference_p);
  const float reference_q = kMasked ? larger(highest_q * scale, state.reference_q) : kNoReference;
  if (reference_p == state.reference_p && (!kMasked || reference_q == state.reference_q)) return;
  rebase(state, reference_p, reference_q);
}

/// Adds one entry whatever it is; its references are high enough, or it is NaN or +Infinity.
template <bool kMasked>
PAPO_DEV void add_entry(RowSums<float>& state, float x_p, float x_q, float scale) {
  const float t_p = fmaf(x_p, scale, -state.reference_p);
  // The comparison is false for NaN, which then reaches the sums.
  const bool light_p = t_p < kNoMass;
  const float s_p = light_p ? kNoMass : t_p;
  const float e_p = light_p ? 0 : exponential_of(t_p);
  state.sum_p += e_p;
  state.dot_p = fmaf(e_p, s_p, state.dot_p);
  if constexpr (kMasked) {
    const float t_q = fmaf(x_q, scale, -state.reference_q);
    const bool light_q = t_q < kNoMass;
    const float s_q = light_q ? kNoMass : t_q;
    const float e_q = light_q ? 0 : exponential_of(t_q);
    const bool no_p = t_p == -INFINITY;
    const bool no_q = t_q == -INFINITY;
    if (no_q) state.uncovered_p = larger(t_p + state.reference_p, state.uncovered_p);
    if (no_p) state.uncovered_q = larger(t_q + state.reference_q, state.uncovered_q);
    // Where one policy has no token the difference counts nowhere: what it makes infinite is known by now.
    const float difference = no_p || no_q ? 0 : t_p - t_q;
    state.sum_q += e_q;
    state.dot_q = fmaf(e_q, s_q, state.dot_q);
    state.cross_p = fmaf(e_p, difference, state.cross_p);
    state.cross_q = fmaf(-e_q, difference, state.cross_q);
  }
}

template <typename T, bool kMasked>
PAPO_DEV void add_carefully(LaneSums& state, uint4 p, uint4 q, float scale) {
  state.settle();
  raise_references<kMasked>(state, largest<T>(p), kMasked ? largest<T>(q) : 0, scale);
  // A loop that turns the vectors through their first word: rarely run, so it should be short and not fast.
  PAPO_ROLLED
  for (int word = 0; word < 4; ++word) {
    PAPO_UNROLL
    for (int i = 0; i < kWordEntries<T>; ++i) {
      add_entry<kMasked>(state, Format<T>::entry(p.x, i), kMasked ? Format<T>::entry(q.x, i) : 0,
                         scale);
    }
    p = make_uint4(p.y, p.z, p.w, p.x);
    q = make_uint4(q.y, q.z, q.w, q.x);
  }
}

template <typename T, bool kMasked>
PAPO_DEV void add_group(LaneSums& state, const uint4& p, const uint4& q, float scale) {
  if (!add_plainly<T, kMasked>(state, p, q, scale)) add_carefully<T, kMasked>(state, p, q, scale);
}

/// Adds a column that lies in no vector.
template <bool kMasked>
PAPO_DEV void add_edge(RowSums<float>& state, float x_p, float x_q, float scale) {
  raise_references<kMasked>(state, x_p, x_q, scale);
  add_entry<kMasked>(state, x_p, x_q, scale);
}

}  // namespace papo::cuda
