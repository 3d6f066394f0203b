// The float64 truth of one row pair, straight from the definitions: softmax, entropies, KLs and their gradients.
//
// Everything over the vocabulary is independent of the engine. What joins a row's statistics into the loss
// (math/token_objective.hpp) is the engine's own; it is held against the reference elsewhere.
#pragma once

#include <vector>

#include "batch.hpp"

namespace papo::gpu {

class RowTruth {
 public:
  /// Reads row `row` of the batch's logits as they lie in memory now.
  RowTruth(const Batch& batch, std::size_t row);

  std::size_t row() const { return row_; }
  /// The masked log-prob is that of the logits, or the constant that the case has instead.
  const TokenStatistics& statistics() const { return statistics_; }
  /// The statistics without the constant: what token_stats gives.
  const TokenStatistics& plain_statistics() const { return plain_; }

  struct Gradient {
    std::vector<double> p, q;
    double largest_p = 0, largest_q = 0;
  };
  Gradient gradient(const TokenCotangents& cotangents) const;

 private:
  std::size_t row_;
  std::size_t id_;
  double inverse_;
  std::vector<double> log_p_, log_q_;
  TokenStatistics statistics_, plain_;
};

/// Rows spread evenly over those that count, the first and the last among them.
std::vector<std::size_t> sampled_rows(const Batch& batch, std::size_t most);

}  // namespace papo::gpu
