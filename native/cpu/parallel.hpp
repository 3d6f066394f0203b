// Rows -> threads. The only place that knows threads.
#pragma once

#include <cstddef>

#include "core/status.hpp"
#include "ops/op_call.hpp"

namespace papo::cpu {

/// Sets the size of the process's pool (the caller's thread included) if no call came before; returns the size in force.
std::size_t configure_threads(std::size_t threads);
std::size_t threads();

/// Does rows [begin, end); the status is that of the first row that failed, or ok. A reference to the caller's function:
/// a call is over before that is.
class RowRange {
 public:
  template <typename F>
  RowRange(const F& function)
      : function_(&function), call_([](const void* self, std::size_t begin, std::size_t end) {
          return (*static_cast<const F*>(self))(begin, end);
        }) {}

  Status operator()(std::size_t begin, std::size_t end) const {
    return call_(function_, begin, end);
  }

 private:
  const void* function_;
  Status (*call_)(const void*, std::size_t, std::size_t);
};

/// Spreads `rows` over the pool in blocks of `rows_per_block`, the caller working along; one block is the caller's alone.
///
/// Rows are independent, so the results do not depend on the number of threads. When a row fails, no new
/// blocks are begun; the failure reported is that of the first failing row of the whole call, since blocks
/// are begun in order. Asks for cancellation before every block. Several callers may be inside at once.
Status for_rows(std::size_t rows, std::size_t rows_per_block, const Cancellation& cancellation,
                const RowRange& range);

}  // namespace papo::cpu
