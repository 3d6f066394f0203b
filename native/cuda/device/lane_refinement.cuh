// The third walk, for rows whose policies nearly agree: KL(p || q) and KL(q || p) to full relative precision.
//
// The one-pass sums leave an absolute error of about 1e-7, which is everything when the KL is that small.
// With r = log p - log q this sums p (e^-r - 1 + r) and q (e^r - 1 - r): every term is small and none cancels.
#pragma once

#include "cuda/device/lane_statistics.cuh"

namespace papo::cuda {

/// What the refinement needs to know of a row.
struct RefinementNumbers {
  unsigned wanted;
  float reference_p, reference_q;
  float shift;  ///< what turns scaled differences of logits into differences of log-probs
  float share_p, share_q;
};

PAPO_DEV RefinementNumbers refinement_numbers(const RowState& state, double log_p, double log_q) {
  RefinementNumbers numbers;
  numbers.wanted = 1;
  numbers.reference_p = state.reference_p;
  numbers.reference_q = state.reference_q;
  numbers.shift = static_cast<float>(static_cast<double>(state.reference_q) -
                                     static_cast<double>(state.reference_p) - (log_p - log_q));
  numbers.share_p = static_cast<float>(1 / state.sum_p);
  numbers.share_q = static_cast<float>(1 / state.sum_q);
  return numbers;
}

/// Adds one column's terms.
PAPO_DEV void refine_entry(const RefinementNumbers& row, float scale, float x_p, float x_q,
                           float& kl, float& reverse_kl) {
  const float t_p = fmaf(x_p, scale, -row.reference_p);
  const float t_q = fmaf(x_q, scale, -row.reference_q);
  const float p = t_p < kNoMass ? 0 : exponential_of(t_p) * row.share_p;
  const float q = t_q < kNoMass ? 0 : exponential_of(t_q) * row.share_q;
  // From the logits' own difference, exact when they are close; t_p - t_q would carry both roundings.
  const float r = fmaf(x_p - x_q, scale, row.shift);
  // e^-r - 1 + r = r^2 (1/2 - r/6 + r^2/24 - r^3/120 + r^4/720) and the same with r -> -r.
  const float r2 = r * r;
  const float even = fmaf(fmaf(1.0F / 720, r2, 1.0F / 24), r2, 0.5F);
  const float odd = r * fmaf(1.0F / 120, r2, 1.0F / 6);
  // False for a column that both policies lack, whose r is NaN: p and q are 0 there, and so is the gap.
  const bool near = fabsf(r) < 0.25F;
  const float gap = q - p;
  const float far_p = p == 0 ? gap : fmaf(p, r, gap);
  const float far_q = q == 0 ? -gap : fmaf(-q, r, -gap);
  kl += near ? p * r2 * (even - odd) : far_p;
  reverse_kl += near ? q * r2 * (even + odd) : far_q;
}

template <typename T>
PAPO_DEV void refine_group(const RefinementNumbers& row, float scale, const uint4& p,
                           const uint4& q, float& kl, float& reverse_kl) {
  float x_p[kEntries<T>];
  float x_q[kEntries<T>];
  unpack<T>(p, x_p);
  unpack<T>(q, x_q);
  PAPO_UNROLL
  for (int i = 0; i < kEntries<T>; ++i) refine_entry(row, scale, x_p[i], x_q[i], kl, reverse_kl);
}

}  // namespace papo::cuda
