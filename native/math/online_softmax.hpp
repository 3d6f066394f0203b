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

/// Sums over a part of one row of policy p and, if there is one, of the masked policy q. Sums are float64.
struct RowState {
  float reference_p = kNoReference;
  float reference_q = kNoReference;
  double sum_p = 0;    ///< sum of e_p
  double sum_q = 0;    ///< sum of e_q
  double dot_p = 0;    ///< sum of e_p t_p
  double dot_q = 0;    ///< sum of e_q t_q
  double cross_p = 0;  ///< sum of e_p (t_p - t_q), over columns where q is not -Infinity
  double cross_q = 0;  ///< sum of e_q (t_q - t_p), over columns where p is not -Infinity
  /// Largest z_p among columns where z_q is -Infinity, and the reverse; -Infinity if there is none.
  float uncovered_p = -INFINITY;
  float uncovered_q = -INFINITY;
};

/// The same sums relative to other references; exact up to rounding.
PAPO_HD void rebase(RowState& state, float reference_p, float reference_q) {
  const double shift_p = static_cast<double>(state.reference_p) - static_cast<double>(reference_p);
  const double shift_q = static_cast<double>(state.reference_q) - static_cast<double>(reference_q);
  const double scale_p = exp(shift_p);
  const double scale_q = exp(shift_q);
  // Where one policy has no mass yet, no column is covered by both: the cross sums are 0 and stay 0.
  // (A shift from kNoReference is finite, so 0 times it is 0 and not NaN.)
  const bool covered = state.sum_p != 0 && state.sum_q != 0;
  const double drift = covered ? shift_p - shift_q : 0;
  state.cross_p = scale_p * (state.cross_p + drift * state.sum_p);
  state.cross_q = scale_q * (state.cross_q - drift * state.sum_q);
  state.dot_p = scale_p * (state.dot_p + shift_p * state.sum_p);
  state.dot_q = scale_q * (state.dot_q + shift_q * state.sum_q);
  state.sum_p *= scale_p;
  state.sum_q *= scale_q;
  state.reference_p = reference_p;
  state.reference_q = reference_q;
}

PAPO_HD float larger(float a, float b) { return a > b ? a : b; }

/// Adds the state of another part of the same row, at the same references.
PAPO_HD void add(RowState& state, const RowState& other) {
  state.sum_p += other.sum_p;
  state.sum_q += other.sum_q;
  state.dot_p += other.dot_p;
  state.dot_q += other.dot_q;
  state.cross_p += other.cross_p;
  state.cross_q += other.cross_q;
  state.uncovered_p = larger(state.uncovered_p, other.uncovered_p);
  state.uncovered_q = larger(state.uncovered_q, other.uncovered_q);
}

/// The same at any references: both move to the larger ones first.
PAPO_HD void merge(RowState& state, RowState other) {
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

/// Entropies and exact KLs of a whole row; KL(p || q) is Infinity where p has mass and q has none.
/// The KLs are the one-pass sums: good to about 1e-7 absolute, see `row_divergence` for small ones.
PAPO_HD TokenStatistics finish(const RowState& state, bool has_masked) {
  TokenStatistics statistics;
  const double log_p = log(state.sum_p);
  statistics.log_sum_exp = static_cast<double>(state.reference_p) + log_p;
  statistics.entropy = fmax(0.0, log_p - state.dot_p / state.sum_p);
  if (!has_masked) return statistics;
  const double log_q = log(state.sum_q);
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

}  // namespace papo
