// What a row's statistics and gradients are, in float64 and straight from the definitions; and how far others are off.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "kernel_rows.hpp"

namespace papo::cuda {

struct RowTruth {
  TokenStatistics statistics;
  std::vector<double> grad_p, grad_q;
};

/// Columns that are -Infinity in both policies contribute nothing. KLs are summed in the form that does not cancel.
RowTruth truth_of(const Rows& rows, std::size_t row, const TokenCotangents& cotangents = {});

/// The largest errors found; a NaN that should not be is infinite.
struct Errors {
  double log_prob = 0;
  double entropy = 0;
  double kl = 0;           ///< absolute up to 1, relative above
  double relative_kl = 0;  ///< relative, for KLs below 1e-3
  double log_sum_exp = 0;  ///< relative to the larger of 1 and itself
  double grad = 0;         ///< relative to the row's largest

  void add(double& which, double got, double want, double scale = 1);
  void add_statistics(const Statistics& got, std::size_t row, const TokenStatistics& want,
                      bool masked);
  /// `rounding`: what storing may lose, relative to each element. `least`: what the row's largest gradient is held
  /// to be at least, where its terms may cancel.
  void add_gradients(const std::vector<float>& got, std::size_t row,
                     const std::vector<double>& want, double scale, double rounding,
                     double least = 1e-30);
};

/// Half a unit in the last place of what the dtype stores.
double rounding_of(DType dtype);

}  // namespace papo::cuda
