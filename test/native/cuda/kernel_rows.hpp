// Rows of logits for the kernels' tests: made up, laid out anywhere in device memory, walked there and on the CPU.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/kernels.hpp"
#include "device_matrix.hpp"
#include "math/token_lines.hpp"
#include "ops/papo_loss.hpp"
#include "ops/token_stats.hpp"

namespace papo::cuda {

/// Rows to be walked; everything not said is the plainest there is.
struct Rows {
  DType dtype = DType::float32;
  std::size_t rows = 1;
  std::size_t vocab = 1;
  bool masked = true;
  double temperature = 0.9;
  Place place_p, place_q;
  std::vector<float> p, q;
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> mask;  ///< empty: every row counts
  std::int64_t vocab_offset = 0;
  float inverse_temperature_of_whole = 0;  ///< of the vocabulary that this is a shard of

  /// Normal logits of spread 3, and an id for each row.
  Rows(DType dtype, std::size_t rows, std::size_t vocab, bool masked, unsigned seed = 1);

  const float* row_p(std::size_t row) const { return p.data() + row * vocab; }
  const float* row_q(std::size_t row) const { return q.data() + row * vocab; }
  /// Holds the logits to what the dtype keeps, after a test has changed them.
  void round();
  float inverse_temperature() const;
  std::string describe() const;
};

/// What a walk down gave; lines as the op has them.
struct Statistics {
  std::vector<double> lines;
  std::vector<double> states;
  std::vector<std::int32_t> invalid;
  unsigned long long row_error = kNoRowError;

  double at(std::size_t line, std::size_t row) const {
    return lines[line * (lines.size() / kStatisticCount) + row];
  }
};

struct StatisticsWanted {
  bool statistics = true;
  bool states = false;
  bool skip_invalid = false;
};
Statistics walk_down(const Rows& rows, const Choice& choice, StatisticsWanted wanted = {});
Statistics walk_down_on_cpu(const Rows& rows);
/// Two rows `pitch` elements apart, of which the first does not count and has no memory.
Statistics walk_down_far(const Rows& rows, const Choice& choice, std::int64_t pitch);

/// What papo_loss needs besides the rows.
struct Objective {
  ObjectiveParams params;
  std::vector<double> masked_log_probs;  ///< used where the rows are not masked; may be empty
  std::vector<double> old_log_probs, ref_log_probs, advantages, weights, entropy_weights;
  std::vector<double> perception_weights;  ///< may be empty
  double grad_scale = 1.5;

  /// Log-probs near those of the rows, so that ratios are what they are in training.
  Objective(const Rows& rows, unsigned seed);
};

/// Which gradients are written, and where.
struct GradientsWanted {
  DType dtype = DType::float32;
  bool p = true;
  bool q = true;
  bool in_place = false;
  bool zeroed = false;  ///< as Gradients has it; rows that do not count keep their NaN
  Place place_p, place_q;
};

struct Loss {
  std::vector<double> statistics, terms;
  std::vector<float> grad_p, grad_q;
  unsigned long long row_error = kNoRowError;
  bool surroundings_untouched = true;
};
Loss loss_of(const Rows& rows, const Objective& objective, const GradientsWanted& wanted,
             const Choice& choice);
Loss loss_on_cpu(const Rows& rows, const Objective& objective, const GradientsWanted& wanted);

/// What a walk up is given besides its rows: [8, rows] and [6, rows].
struct Cotangents {
  std::vector<double> statistics, cotangents;
  double grad_scale = 1;
  bool accumulate = false;
  std::vector<float> before_p, before_q;  ///< where it accumulates
};
Loss walk_up(const Rows& rows, const Cotangents& cotangents, const GradientsWanted& wanted);

/// Every way to walk a row that its shape allows: clusters of 1 to 16 blocks, teams of 1 to 16.
std::vector<Choice> every_choice();
std::string describe(const Choice& choice);

}  // namespace papo::cuda
