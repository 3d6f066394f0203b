#include "ops/state_checks.hpp"

#include <cfloat>
#include <cmath>

#include "ops/op_spec.hpp"
#include "ops/row_checks.hpp"

namespace papo {
namespace {

/// Lines of one policy, by their place in `kStateLines`.
struct PolicyLines {
  int reference, sum, dot, cross, uncovered, chosen;
};
constexpr PolicyLines kPolicy = {0, 2, 4, 6, 8, 10};
constexpr PolicyLines kMaskedPolicy = {1, 3, 5, 7, 9, 11};

constexpr double kInfinity = static_cast<double>(INFINITY);

/// The first line of a column that cannot be a state's, and what it should have been; line -1 if it is one.
struct Objection {
  int line = -1;
  const char* what = "";
};

Objection objection(const double* column, std::size_t rows, const PolicyLines& own,
                    const PolicyLines& other) {
  const auto at = [&](int line) { return column[static_cast<std::size_t>(line) * rows]; };
  const auto fits = [&](int line) { return std::fabs(at(line)) <= static_cast<double>(FLT_MAX); };
  if (!fits(own.reference)) return {own.reference, " to be a finite float32 number"};
  for (const int logit : {own.uncovered, own.chosen}) {
    // -Infinity is the usual value.
    if (!fits(logit) && at(logit) != -kInfinity) {
      return {logit, " to be a finite float32 number or -Infinity"};
    }
  }
  const double sum = at(own.sum);
  if (std::isnan(sum)) return {};
  if (sum < 0) return {own.sum, " not to be negative"};
  if (!std::isfinite(at(own.dot))) return {own.dot, " to be finite"};
  // +Infinity is a divergence larger than float32 can hold.
  if (!std::isnan(at(other.sum)) && !(at(own.cross) > -kInfinity)) {
    return {own.cross, " to be a number above -Infinity"};
  }
  return {};
}

}  // namespace

Status check_states(const std::string& where, const char* name, const double* states,
                    const std::int32_t* mask, std::size_t rows) {
  for (std::size_t row = 0; row < rows; ++row) {
    if (!counts(mask, row)) continue;
    const double* column = states + row;
    Objection found = objection(column, rows, kPolicy, kMaskedPolicy);
    if (found.line < 0) found = objection(column, rows, kMaskedPolicy, kPolicy);
    if (found.line < 0) continue;
    const auto line = static_cast<std::size_t>(found.line);
    const double value = column[line * rows];
    return expected(std::isfinite(value) ? Code::range : Code::not_finite, where,
                    camel_case(name) + "." + camel_case(kStateLines[line]) + "[" +
                        std::to_string(row) + "]" + found.what,
                    show(value), static_cast<std::int64_t>(row));
  }
  return {};
}

}  // namespace papo
