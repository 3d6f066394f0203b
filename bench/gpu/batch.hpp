// The inputs of one case: both logits in host memory and the [rows] numbers of the objective; equal for equal seeds.
#pragma once

#include <cstdint>
#include <vector>

#include "case.hpp"
#include "math/token_objective.hpp"
#include "matrix.hpp"
#include "ops/registry.hpp"

namespace papo::gpu {

/// Numbers from a counter: no state, so rows can be made in any order.
std::uint64_t mixed(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0);
/// In [-1, 1).
double signed_unit(std::uint64_t bits);

struct Batch {
  Case spec;
  HostMatrix logits;
  HostMatrix masked_logits;  // absent unless the case has it
  std::vector<std::int32_t> token_ids;
  std::vector<std::int32_t> mask;  // empty: none
  std::vector<double> masked_log_probs;
  std::vector<double> old_log_probs, ref_log_probs, advantages, weights, entropy_weights;
  std::vector<double> cotangents;  // [6, rows], for token_stats_grad
  std::vector<double> statistics;  // [8, rows], the CPU engine's

  explicit Batch(const Case& spec);

  std::size_t rows() const { return spec.rows; }
  bool counts(std::size_t row) const { return mask.empty() || mask[row] != 0; }
  /// Of a row of all policies' logits.
  std::size_t row_bytes() const {
    return spec.vocab * size_of(spec.dtype) * (masked_logits.present() ? 2 : 1);
  }
  Layout2D grad_layout(bool of_p) const;
  ObjectiveParams objective() const;
  TokenInputs token_inputs(std::size_t row) const;
  TokenCotangents cotangents_of(std::size_t row) const;
};

/// Fills the log-probs that the objective compares with from the statistics of the CPU engine.
void prepare(Batch& batch, const Registry& registry);

}  // namespace papo::gpu
