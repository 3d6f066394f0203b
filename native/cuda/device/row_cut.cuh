// How a row falls into 16-byte vectors, and which of them belong to which part (a block of a cluster or of a team).
#pragma once

#include "cuda/device/layout.hpp"
#include "cuda/device/vectors.cuh"

namespace papo::cuda {

/// Columns [0, head), `vectors` whole vectors from there, and `tail` more columns. Vocabularies are below 2^31.
struct RowCut {
  int head;
  int vectors;
  int tail;
};

/// Elements from `row` to the next multiple of 16 bytes.
template <typename T>
PAPO_DEV int distance_to_vector(const T* row) {
  const auto skew = static_cast<int>(reinterpret_cast<std::uintptr_t>(row) % 16 / sizeof(T));
  return (kEntries<T> - skew) % kEntries<T>;
}

template <typename T>
PAPO_DEV RowCut cut_row(const T* row, int vocab) {
  RowCut cut;
  cut.head = distance_to_vector(row);
  if (cut.head > vocab) cut.head = vocab;
  cut.vectors = (vocab - cut.head) / kEntries<T>;
  cut.tail = vocab - cut.head - cut.vectors * kEntries<T>;
  return cut;
}

/// Vectors [begin, end) of a row.
struct Slice {
  int begin;
  int end;

  PAPO_DEV int vectors() const { return end - begin; }
};

/// An even share in whole vectors; the last parts may get less, or none.
PAPO_DEV Slice slice_of(const RowCut& cut, int part, int parts) {
  const int share = (cut.vectors + parts - 1) / parts;
  const int begin = part * share < cut.vectors ? part * share : cut.vectors;
  const int end = begin + share < cut.vectors ? begin + share : cut.vectors;
  return {begin, end};
}

/// The column this thread takes of those outside vectors, or -1: the first threads of part 0 take one each.
template <typename T>
PAPO_DEV int edge_column(const RowCut& cut, int part) {
  const auto thread = static_cast<int>(dev::thread_index());
  if (part != 0 || thread >= cut.head + cut.tail) return -1;
  return thread < cut.head ? thread : thread + cut.vectors * kEntries<T>;
}

/// Whether this thread takes `column` in its walks over `slice`: each goes over every kThreads-th vector.
template <typename T>
PAPO_DEV bool takes_column(const RowCut& cut, const Slice& slice, int column) {
  const int inside = column - cut.head;
  if (inside < slice.begin * kEntries<T> || inside >= slice.end * kEntries<T>) return false;
  return (inside / kEntries<T> - slice.begin) % kThreads == static_cast<int>(dev::thread_index());
}

}  // namespace papo::cuda
