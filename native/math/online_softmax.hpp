// The running state of one row under two policies, how two such states merge, and the statistics it ends in.
//
// With z = logit / temperature and a reference m near the row's maximum, t = z - m and e = exp(t).
// A state sums over a part of the vocabulary (a block, a shard); states of parts merge associatively,
// whatever references they were summed at. Derivations: native/math/README.md.
#pragma once

#include <cmath>

#include "math/hostdev.hpp"

namespace papo {

/// Mass below e^kNoMass of the row's largest is none: float32 cannot hold it beside the rest.
inline constexpr float kNoMass = -87.0F;
/// Reference of a part that has seen no finite logit yet.
inline constexpr float kNoReference = -3.4028234663852886e38F;

/// Sums over a part of one row of policy p and, if there is one, of the masked policy q.
/// `Sum` is float64 across rows, shards and blocks; the lanes of a GPU hold float32 until they meet.
template <typename Sum>
struct RowSums {
  float reference_p = kNoReference;
  float reference_q = kNoReference;
  Sum sum_p = 0;    ///< sum of e_p
  Sum sum_q = 0;    ///< sum of e_q
  Sum dot_p = 0;    ///< sum of e_p t_p
  Sum dot_q = 0;    ///< sum of e_q t_q
  Sum cross_p = 0;  ///< sum of e_p (t_p - t_q), over columns where q is not -Infinity
  Sum cross_q = 0;  ///< sum of e_q (t_q - t_p), over columns where p is not -Infinity
  /// Largest z_p among columns where z_q is -Infinity, and the reverse; -Infinity if there is none.
  float uncovered_p = -INFINITY;
  float uncovered_q = -INFINITY;
  /// The chosen token's logits as they were stored; -Infinity where this part does not hold it.
  float chosen_p = -INFINITY;
  float chosen_q = -INFINITY;
};
using RowState = RowSums<double>;

PAPO_HD float exponential(float x) { return expf(x); }
PAPO_HD double exponential(double x) { return exp(x); }

/// One policy's sums after its reference moved by `shift` and the two policies' references apart by `drift`;
/// `scale` is e^shift.
template <typename Sum>
PAPO_HD void shift_sums(Sum scale, Sum shift, Sum drift, Sum& sum, Sum& dot, Sum& cross) {
  // What is scaled to nothing is nothing: its other factor may be infinite (a part whose logits are all near
  // float32's lowest number, as some masks are), and 0 times that would be NaN.
  const bool gone = scale == 0;
  cross = gone ? 0 : scale * (cross + drift * sum);
  dot = gone ? 0 : scale * (dot + shift * sum);
  sum *= scale;
}

/// The same sums relative to other references; exact up to rounding.
template <typename Sum>
PAPO_HD void rebase(RowSums<Sum>& state, float reference_p, float reference_q) {
  const Sum shift_p = static_cast<Sum>(state.reference_p) - static_cast<Sum>(reference_p);
  const Sum shift_q = static_cast<Sum>(state.reference_q) - static_cast<Sum>(reference_q);
  // Where one policy has no mass yet, no column is covered by both: the cross sums are 0 and stay 0.
  const bool covered = state.sum_p != 0 && state.sum_q != 0;
  const Sum drift = covered ? shift_p - shift_q : 0;
  shift_sums(exponential(shift_p), shift_p, drift, state.sum_p, state.dot_p, state.cross_p);
  shift_sums(exponential(shift_q), shift_q, -drift, state.sum_q, state.dot_q, state.cross_q);
  state.reference_p = reference_p;
  state.reference_q = reference_q;
}

PAPO_HD float larger(float a, float b) { return a > b ? a : b; }

/// Adds the state of another part of the same row, at the same references.
template <typename Sum>
PAPO_HD void add(RowSums<Sum>& state, const RowSums<Sum>& other) {
  state.sum_p += other.sum_p;
  state.sum_q += other.sum_q;
  state.dot_p += other.dot_p;
  state.dot_q += other.dot_q;
  state.cross_p += other.cross_p;
  state.cross_q += other.cross_q;
  state.uncovered_p = larger(state.uncovered_p, other.uncovered_p);
  state.uncovered_q = larger(state.uncovered_q, other.uncovered_q);
  state.chosen_p = larger(state.chosen_p, other.chosen_p);
  state.chosen_q = larger(state.chosen_q, other.chosen_q);
}

/// The same at any references: both move to the larger ones first.
template <typename Sum>
PAPO_HD void merge(RowSums<Sum>& state, RowSums<Sum> other) {
  const float reference_p = larger(state.reference_p, other.reference_p);
  const float reference_q = larger(state.reference_q, other.reference_q);
  rebase(state, reference_p, reference_q);
  rebase(other, reference_p, reference_q);
  add(state, other);
}

/// What a row of logits says, in nats; the order is that of the op's `statistics` lines.
struct TokenStatistics {
  double log_prob = 0;
  double masked_log_prob = 0;
  double entropy = 0;
  double masked_entropy = 0;
  double kl = 0;
  double reverse_kl = 0;
  double log_sum_exp = 0;
  double masked_log_sum_exp = 0;
};
inline constexpr int kStatisticCount = 8;
inline constexpr int kCotangentCount = 6;

PAPO_HD bool usable(double sum) { return sum > 0 && sum < static_cast<double>(INFINITY); }

/// True unless some logit was NaN or +Infinity, or all of one policy's were -Infinity.
PAPO_HD bool usable(const RowState& state, bool has_masked) {
  return usable(state.sum_p) && (!has_masked || usable(state.sum_q));
}

/// Statistics of a whole row; KL(p || q) is Infinity where p has mass and q has none.
/// The KLs are the one-pass sums: good to about 1e-7 absolute; rows of small KL are walked once more for them.
///
///   inverse_temperature  the factor that made z of the logits, to the bit
///   log_p, log_q         the logarithms of the two sums, which a GPU takes side by side
PAPO_HD TokenStatistics finish(const RowState& state, bool has_masked, float inverse_temperature,
                               double log_p, double log_q) {
  TokenStatistics statistics;
  const double inverse = static_cast<double>(inverse_temperature);
  const double chosen_p =
      static_cast<double>(state.chosen_p) * inverse - static_cast<double>(state.reference_p);
  statistics.log_prob = fmin(0.0, chosen_p - log_p);
  statistics.log_sum_exp = static_cast<double>(state.reference_p) + log_p;
  statistics.entropy = fmax(0.0, log_p - state.dot_p / state.sum_p);
  if (!has_masked) return statistics;
  const double chosen_q =
      static_cast<double>(state.chosen_q) * inverse - static_cast<double>(state.reference_q);
  statistics.masked_log_prob = fmin(0.0, chosen_q - log_q);
  statistics.masked_log_sum_exp = static_cast<double>(state.reference_q) + log_q;
  statistics.masked_entropy = fmax(0.0, log_q - state.dot_q / state.sum_q);
  statistics.kl = state.uncovered_p - state.reference_p >= kNoMass
                      ? static_cast<double>(INFINITY)
                      : fmax(0.0, state.cross_p / state.sum_p - log_p + log_q);
  statistics.reverse_kl = state.uncovered_q - state.reference_q >= kNoMass
                              ? static_cast<double>(INFINITY)
                              : fmax(0.0, state.cross_q / state.sum_q - log_q + log_p);
  return statistics;
}

PAPO_HD TokenStatistics finish(const RowState& state, bool has_masked, float inverse_temperature) {
  return finish(state, has_masked, inverse_temperature, log(state.sum_p),
                has_masked ? log(state.sum_q) : 0);
}

/// KLs below this are summed again in a form without cancellation, which needs the row once more.
inline constexpr double kRefineBelow = 1e-3;
PAPO_HD bool wants_refinement(const TokenStatistics& statistics) {
  return statistics.kl < kRefineBelow && statistics.reverse_kl < kRefineBelow;
}

}  // namespace papo
