// What makes twelve numbers the state of a row, so that whatever comes from another rank cannot pass for one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.hpp"

namespace papo {

/// Counted columns of `states` [12, rows]: references that are finite float32 numbers, sums that are not negative,
/// dot products that are finite beside them, and logits that are no larger than float32 can hold.
/// A sum that is NaN is a state too: that of logits with NaN or Infinity among them, which finishing refuses.
///
///   name  of the argument in messages, which name the line and the row too: "states.masked_reference[3]"
Status check_states(const std::string& where, const char* name, const double* states,
                    const std::int32_t* mask, std::size_t rows);

}  // namespace papo
