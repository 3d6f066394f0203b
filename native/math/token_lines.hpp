// The [k, rows] matrices of float64 that ops exchange: one token's column in and out, in the order of the specs.
#pragma once

#include <cstddef>

#include "math/hostdev.hpp"
#include "math/online_softmax.hpp"
#include "math/token_objective.hpp"

namespace papo {

template <std::size_t kCount>
PAPO_HD void store_lines(const double (&values)[kCount], double* lines, std::size_t rows,
                         std::size_t row) {
  for (std::size_t line = 0; line < kCount; ++line) lines[line * rows + row] = values[line];
}

PAPO_HD void store_statistics(const TokenStatistics& statistics, double* lines, std::size_t rows,
                              std::size_t row) {
  const double values[kStatisticCount] = {statistics.log_prob,    statistics.masked_log_prob,
                                          statistics.entropy,     statistics.masked_entropy,
                                          statistics.kl,          statistics.reverse_kl,
                                          statistics.log_sum_exp, statistics.masked_log_sum_exp};
  store_lines(values, lines, rows, row);
}

PAPO_HD TokenStatistics load_statistics(const double* lines, std::size_t rows, std::size_t row) {
  const double* column = lines + row;
  return {column[0],        column[rows],     column[2 * rows], column[3 * rows],
          column[4 * rows], column[5 * rows], column[6 * rows], column[7 * rows]};
}

PAPO_HD void store_cotangents(const TokenCotangents& cotangents, double* lines, std::size_t rows,
                              std::size_t row) {
  const double values[kCotangentCount] = {cotangents.log_prob, cotangents.masked_log_prob,
                                          cotangents.entropy,  cotangents.masked_entropy,
                                          cotangents.kl,       cotangents.reverse_kl};
  store_lines(values, lines, rows, row);
}

PAPO_HD TokenCotangents load_cotangents(const double* lines, std::size_t rows, std::size_t row) {
  const double* column = lines + row;
  return {column[0],        column[rows],     column[2 * rows],
          column[3 * rows], column[4 * rows], column[5 * rows]};
}

PAPO_HD void store_terms(const TokenTerms& terms, double* lines, std::size_t rows,
                         std::size_t row) {
  const double values[kTermCount] = {terms.surrogate,      terms.ref_kl,
                                     terms.perception_kl,  terms.entropy,
                                     terms.masked_entropy, terms.ratio,
                                     terms.clip,           terms.grad_surrogate,
                                     terms.grad_ref_kl,    terms.grad_perception_kl,
                                     terms.grad_entropy,   terms.grad_masked_entropy};
  store_lines(values, lines, rows, row);
}

PAPO_HD void seal_policy(float& reference, double& sum, double& dot, float& uncovered,
                         float& chosen) {
  const bool broken = !(sum < static_cast<double>(INFINITY));
  if (broken) chosen = -INFINITY;
  if (broken || sum == 0) {
    reference = kNoReference;
    uncovered = -INFINITY;
    sum = broken ? static_cast<double>(NAN) : 0;
    dot = sum;
  }
  reference += 0.0F;
  uncovered += 0.0F;
  chosen += 0.0F;
  dot += 0.0;
}

/// The one form of a state outside an op, so that equal states have equal bits. A policy without mass is the
/// empty one, and merges to the very bits of the other part; one with NaN or +Infinity is NaN and stays it,
/// while the other policy's sums keep their say; zeros have no sign, so that a merge can be turned round.
PAPO_HD RowState sealed(RowState state) {
  seal_policy(state.reference_p, state.sum_p, state.dot_p, state.uncovered_p, state.chosen_p);
  seal_policy(state.reference_q, state.sum_q, state.dot_q, state.uncovered_q, state.chosen_q);
  // 0, or NaN where one of the sums is.
  const double nothing = 0 * (state.sum_p + state.sum_q);
  const bool covered = state.sum_p > 0 && state.sum_q > 0;
  state.cross_p = covered ? state.cross_p + 0.0 : nothing;
  state.cross_q = covered ? state.cross_q + 0.0 : nothing;
  return state;
}

/// A part's sums as the lines of `states`: what another part needs in order to merge with it.
inline constexpr int kStateCount = 12;

PAPO_HD void store_state(const RowState& open, double* lines, std::size_t rows, std::size_t row) {
  const RowState state = sealed(open);
  const double values[kStateCount] = {state.reference_p, state.reference_q, state.sum_p,
                                      state.sum_q,       state.dot_p,       state.dot_q,
                                      state.cross_p,     state.cross_q,     state.uncovered_p,
                                      state.uncovered_q, state.chosen_p,    state.chosen_q};
  store_lines(values, lines, rows, row);
}

/// References, uncovered and chosen logits were float32 when they were stored: nothing is lost.
PAPO_HD RowState load_state(const double* lines, std::size_t rows, std::size_t row) {
  const double* column = lines + row;
  RowState state;
  state.reference_p = static_cast<float>(column[0]);
  state.reference_q = static_cast<float>(column[rows]);
  state.sum_p = column[2 * rows];
  state.sum_q = column[3 * rows];
  state.dot_p = column[4 * rows];
  state.dot_q = column[5 * rows];
  state.cross_p = column[6 * rows];
  state.cross_q = column[7 * rows];
  state.uncovered_p = static_cast<float>(column[8 * rows]);
  state.uncovered_q = static_cast<float>(column[9 * rows]);
  state.chosen_p = static_cast<float>(column[10 * rows]);
  state.chosen_q = static_cast<float>(column[11 * rows]);
  return state;
}

}  // namespace papo
