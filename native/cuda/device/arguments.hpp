// What a kernel takes: device addresses and numbers, passed by value.
#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "math/hostdev.hpp"
#include "math/token_objective.hpp"

namespace papo::cuda {

/// The logits of one call; everything is an address on the device.
struct RowPairs {
  DType dtype = DType::float32;
  const void* logits = nullptr;         ///< [rows, vocab]
  const void* masked_logits = nullptr;  ///< [rows, vocab] or null
  std::int64_t row_pitch = 0;           ///< elements
  std::int64_t masked_row_pitch = 0;
  std::int64_t rows = 0;
  std::int64_t vocab = 0;
  const std::int32_t* token_ids =
      nullptr;  ///< [rows]; column = id - vocab_offset, if it lies in 0..vocab
  const std::int32_t* mask = nullptr;  ///< [rows] or null
  std::int64_t vocab_offset = 0;
  float inverse_temperature = 1;
  /// The least `row * kRowErrorKinds + kind` of all rows that failed; starts as kNoRowError.
  unsigned long long* row_error = nullptr;
};

enum class RowErrorKind {
  logits_empty,
  logits_not_finite,
  masked_empty,
  masked_not_finite,
  infinite_kl
};
inline constexpr unsigned long long kRowErrorKinds = 8;
inline constexpr unsigned long long kNoRowError = ~0ULL;

/// Where gradients go; a row that does not count or that failed gets zeros (or is left, where they accumulate).
/// `zeroed`: rows that do not count hold zeros already and are not written.
struct Gradients {
  DType dtype = DType::float32;  ///< of both: that of the logits, or float32
  void* grad_logits = nullptr;   ///< [rows, vocab] or null; may be the logits' own memory
  void* grad_masked_logits = nullptr;
  std::int64_t row_pitch = 0;
  std::int64_t masked_row_pitch = 0;
  bool zeroed = false;

  PAPO_HD bool any() const { return grad_logits != nullptr || grad_masked_logits != nullptr; }
};

struct TokenStatsArgs {
  RowPairs pairs;
  double* statistics = nullptr;     ///< [8, rows], or null: only `states` are wanted
  double* states = nullptr;         ///< [12, rows], or null
  std::int32_t* invalid = nullptr;  ///< [rows] or null
  bool skip_invalid = false;
};

struct PapoLossArgs {
  RowPairs pairs;
  Gradients gradients;
  const double* masked_log_probs = nullptr;  ///< [rows] instead of masked_logits, or null
  const double* old_log_probs = nullptr;
  const double* ref_log_probs = nullptr;
  const double* advantages = nullptr;
  const double* weights = nullptr;
  const double* entropy_weights = nullptr;
  const double* perception_weights = nullptr;  ///< null: as `weights`
  double* statistics = nullptr;                ///< [8, rows]
  double* terms = nullptr;                     ///< [12, rows]
  ObjectiveParams objective;
  double scale = 1;  ///< of all gradients: grad_scale * inverse_temperature
};

struct TokenStatsGradArgs {
  RowPairs pairs;
  Gradients gradients;
  const double* statistics = nullptr;  ///< [8, rows]
  const double* cotangents = nullptr;  ///< [6, rows]
  double scale = 1;
  bool accumulate = false;
};

}  // namespace papo::cuda
