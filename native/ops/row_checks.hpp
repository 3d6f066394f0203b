// What must hold of the [rows] data before a kernel runs. Rows whose mask is 0 are not looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.hpp"

namespace papo {

/// `mask` is null (every row counts) or `rows` values, each 0 or 1.
Status check_mask(const std::string& where, const std::int32_t* mask, std::size_t rows);

Status check_token_ids(const std::string& where, const std::int32_t* token_ids,
                       const std::int32_t* mask, std::size_t rows, std::size_t vocab);

/// NaN never; infinities only where `infinite` allows them. A null array passes.
enum class Infinite { refused, allowed };
Status check_numbers(const std::string& where, const char* name, const double* values,
                     const std::int32_t* mask, std::size_t rows, Infinite infinite);

inline bool counts(const std::int32_t* mask, std::size_t row) {
  return mask == nullptr || mask[row] != 0;
}

}  // namespace papo
