#include "ops/row_checks.hpp"

#include <cmath>

#include "ops/op_spec.hpp"

namespace papo {
namespace {

std::string element(const char* name, std::size_t row) {
  return camel_case(name) + "[" + std::to_string(row) + "]";
}

}  // namespace

Status check_mask(const std::string& where, const std::int32_t* mask, std::size_t rows) {
  if (mask == nullptr) return {};
  for (std::size_t row = 0; row < rows; ++row) {
    if (mask[row] != 0 && mask[row] != 1) {
      return expected(Code::range, where, element("response_mask", row) + " to be 0 or 1",
                      std::to_string(mask[row]), static_cast<std::int64_t>(row));
    }
  }
  return {};
}

Status check_token_ids(const std::string& where, const std::int32_t* token_ids,
                       const std::int32_t* mask, std::size_t rows, std::size_t vocab) {
  for (std::size_t row = 0; row < rows; ++row) {
    if (!counts(mask, row)) continue;
    const std::int32_t id = token_ids[row];
    if (id < 0 || static_cast<std::size_t>(id) >= vocab) {
      return expected(Code::range, where,
                      element("token_ids", row) + " in 0\u2026" + std::to_string(vocab - 1),
                      std::to_string(id), static_cast<std::int64_t>(row));
    }
  }
  return {};
}

Status check_numbers(const std::string& where, const char* name, const double* values,
                     const std::int32_t* mask, std::size_t rows, Infinite infinite) {
  if (values == nullptr) return {};
  for (std::size_t row = 0; row < rows; ++row) {
    if (!counts(mask, row)) continue;
    const double value = values[row];
    if (std::isnan(value) || (infinite == Infinite::refused && std::isinf(value))) {
      return expected(Code::not_finite, where,
                      element(name, row) +
                          (infinite == Infinite::refused ? " to be finite" : " to be a number"),
                      show(value), static_cast<std::int64_t>(row));
    }
  }
  return {};
}

Status check_weights(const std::string& where, const char* name, const double* weights,
                     const std::int32_t* mask, std::size_t rows) {
  Status status = check_numbers(where, name, weights, mask, rows, Infinite::refused);
  for (std::size_t row = 0; status.ok() && weights != nullptr && row < rows; ++row) {
    if (counts(mask, row) && weights[row] < 0) {
      status = expected(Code::range, where, element(name, row) + " to be 0 or more",
                        show(weights[row]), static_cast<std::int64_t>(row));
    }
  }
  return status;
}

Status unusable_row(const std::string& where, bool is_masked, bool nothing, std::size_t row) {
  return expected(Code::not_finite, where,
                  "row " + std::to_string(row) + " of " + (is_masked ? "maskedLogits" : "logits") +
                      " to hold finite logits (or -Infinity beside them)",
                  nothing ? "only -Infinity" : "NaN or Infinity", static_cast<std::int64_t>(row));
}

Status unusable_row(const std::string& where, const RowState& state, std::size_t row) {
  const bool is_masked = usable(state.sum_p);
  return unusable_row(where, is_masked, (is_masked ? state.sum_q : state.sum_p) == 0, row);
}

Status infinite_kl(const std::string& where, std::size_t row) {
  return expected(Code::not_finite, where,
                  "exactKlLimit to be set where an exact KL enters the loss",
                  "an infinite KL at row " + std::to_string(row) + " and no limit",
                  static_cast<std::int64_t>(row));
}

}  // namespace papo
