// How a launch walks its rows on a machine: on chip across a cluster, or streamed by teams of blocks. Pure arithmetic.
//
// Into how many parts a row is cut depends on the machine and on the row alone, never on how many rows a call has: the
// sums of a row are added up in the same order whatever batch it comes in, and its results have the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/machine.hpp"

namespace papo::cuda {

struct RowShape {
  std::int64_t rows = 0;
  std::int64_t vocab = 0;
  std::size_t element_bytes = 4;
  bool masked = false;
  /// Both rows of every pair begin at the same distance from a multiple of 16 bytes.
  bool alike = true;
  /// Some walk reads the rows again: gradients, or the refinement of two policies that nearly agree.
  bool again = true;

  std::size_t row_bytes() const {
    return static_cast<std::size_t>(vocab) * element_bytes * (masked ? 2 : 1);
  }
  /// 16-byte vectors of one policy's row, at most.
  std::int64_t vectors() const { return vocab * static_cast<std::int64_t>(element_bytes) / 16; }
};

/// A row pair in the shared memory of `parts` blocks.
struct ResidentPlan {
  int parts = 0;
  int slice_bytes = 0;           ///< room for the largest slice of one policy
  std::size_t shared_bytes = 0;  ///< of a block
  int blocks = 0;                ///< that one multiprocessor has room for

  /// Clusters of more than 8 blocks have to be asked for.
  bool portable() const { return parts <= 8; }
};
inline constexpr int kMostResidentPlans = 5;

/// `blocks` is 0 where that does not fit.
ResidentPlan resident_plan(const Machine& machine, const RowShape& shape, int parts);

/// The ways to keep the rows on chip, best first; returns how many there are. None below compute capability 9.0.
int resident_plans(const Machine& machine, const RowShape& shape,
                   ResidentPlan (&plans)[kMostResidentPlans]);

/// A row pair per team of `parts` blocks, `teams` at a time.
struct StreamingPlan {
  int parts = 1;
  int teams = 1;
};

/// `blocks`: how many run on one multiprocessor at once; `parts`: how many share a row, 0 for what is best.
StreamingPlan streaming_plan(const Machine& machine, const RowShape& shape, int blocks,
                             int parts = 0);

/// Device memory that the teams of any plan on this machine exchange states through.
std::size_t team_scratch_bytes(const Machine& machine);

}  // namespace papo::cuda
