// A row pair per cluster, in shared memory from the first walk to the last: each logit is read once from memory.
//
// Block `rank` of the row's cluster brings its slice of both rows into shared memory by bulk copies, in chunks, and
// sums the first chunk while the others arrive.
#pragma once

#include "cuda/device/row_walk.cuh"

namespace papo::cuda {

/// How a resident launch is laid out; the grid has rows * parts blocks in clusters of `parts`.
struct ResidentShape {
  int parts;
  int slice_bytes;  ///< room for the largest slice of one policy
};

template <typename T, bool kMasked, typename Op>
PAPO_DEV void resident_row(const Op& op, const ResidentShape& shape) {
  const RowPairs& pairs = op.pairs();
  const unsigned row = dev::block_index() / static_cast<unsigned>(shape.parts);
  char* memory = dev::shared_memory();
  Cluster cluster(shape.parts, memory + (kMasked ? 2 : 1) * shape.slice_bytes);
  const RowPart<T> part = part_of_row<T>(pairs, row, cluster.rank, cluster.size);
  if (!counts_on_device(pairs, row)) {
    skip_row<T>(op, row, part, cluster.rank);
    return;
  }
  const auto rows_of = [&](const RowPart<T>& at) {
    return SharedRows<T>{reinterpret_cast<const uint4*>(memory),
                         reinterpret_cast<const uint4*>(memory + shape.slice_bytes),
                         cluster.barriers(), at.slice.vectors()};
  };
  if (dev::thread_index() == 0) {
    cluster.make_barriers();
    rows_of(part).template fetch<kMasked>(part);
  }
  cluster.begin();
  dev::sync_block();
  walk_row<T, kMasked>(op, row, rows_of, cluster);
}

}  // namespace papo::cuda
