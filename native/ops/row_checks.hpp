// What must hold of the [rows] data before a kernel runs, and what a row can fail with in it. Rows whose mask is 0
// are not looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.hpp"
#include "math/online_softmax.hpp"

namespace papo {

/// `mask` is null (every row counts) or `rows` values, each 0 or 1.
Status check_mask(const std::string& where, const std::int32_t* mask, std::size_t rows);

Status check_token_ids(const std::string& where, const std::int32_t* token_ids,
                       const std::int32_t* mask, std::size_t rows, std::size_t vocab);

/// NaN never; infinities only where `infinite` allows them. A null array passes.
enum class Infinite { refused, allowed };
Status check_numbers(const std::string& where, const char* name, const double* values,
                     const std::int32_t* mask, std::size_t rows, Infinite infinite);

/// Finite and not negative. A null array passes.
Status check_weights(const std::string& where, const char* name, const double* weights,
                     const std::int32_t* mask, std::size_t rows);

inline bool counts(const std::int32_t* mask, std::size_t row) {
  return mask == nullptr || mask[row] != 0;
}

/// A counted row of logits that gave no usable state: `nothing` says that all of them were -Infinity.
Status unusable_row(const std::string& where, bool is_masked, bool nothing, std::size_t row);
/// The same, read off the state.
Status unusable_row(const std::string& where, const RowState& state, std::size_t row);

/// The masked policy gives no mass where the policy has some (or the reverse), and nothing bounds the term.
Status infinite_kl(const std::string& where, std::size_t row);

}  // namespace papo
