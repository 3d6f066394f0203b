// A row pair per team of blocks, read from global memory in every walk: for any GPU, alignment and vocabulary.
//
// The teams of a cooperative grid are so few that the rows they work on lie in the L2 together: the second walk
// reads from there. A team of one block exchanges nothing and needs no cooperative grid.
#pragma once

#include "cuda/device/row_walk.cuh"

namespace papo::cuda {

/// How a streaming launch is laid out; the grid has teams * parts blocks.
struct StreamingShape {
  int parts;
  int teams;
  void* scratch;  ///< TeamScratch, its flags zero; null for teams of one
};

template <typename T, bool kMasked, typename Op>
PAPO_DEV void stream_rows(const Op& op, const StreamingShape& shape) {
  const RowPairs& pairs = op.pairs();
  GlobalTeam team(shape.teams, shape.parts, dev::shared_memory(), shape.scratch);
  PAPO_ROLLED
  for (unsigned row = dev::block_index() / team.size; row < pairs.rows;
       row += static_cast<unsigned>(shape.teams)) {
    if (!counts_on_device(pairs, row)) {
      skip_row<T>(op, row, part_of_row<T>(pairs, row, team.rank, team.size), team.rank);
      continue;
    }
    walk_row<T, kMasked>(op, row, [](const RowPart<T>& part) { return GlobalRows<T>(part); }, team);
    // The next row's states go where this one's first warp may still be reading.
    dev::sync_block();
  }
}

}  // namespace papo::cuda
