// Rows -> threads. The only place that knows threads.
#pragma once

#include <cstddef>
#include <functional>

#include "core/status.hpp"
#include "ops/op_call.hpp"

namespace papo::cpu {

/// Sets the size of the process's pool (the caller's thread included) if no call came before; returns the size in force.
std::size_t configure_threads(std::size_t threads);
std::size_t threads();

/// Does rows [begin, end); the status is that of the first row that failed, or ok.
using RowRange = std::function<Status(std::size_t begin, std::size_t end)>;

/// Spreads `rows` over the pool in blocks of `rows_per_block`, the caller working along.
///
/// Rows are independent, so the results do not depend on the number of threads. When a row fails, no new
/// blocks are begun; the failure reported is that of the first failing row of the whole call, since blocks
/// are begun in order. Asks for cancellation before every block. Several callers may be inside at once.
Status for_rows(std::size_t rows, std::size_t rows_per_block, const Cancellation& cancellation,
                const RowRange& range);

}  // namespace papo::cpu
