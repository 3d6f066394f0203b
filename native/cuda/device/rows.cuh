// Where a walk finds a part of a row: in shared memory, brought there once, or in global memory, read each time.
//
// Both call `start(p, q)` once in every thread with its first vectors (of no tokens if it has none), and then
// `visit(i, p, q)` for every kThreads-th vector of the slice, i counted from the slice's begin.
#pragma once

#include "cuda/device/row_cut.cuh"

namespace papo::cuda {

/// One row pair and the part of it that this block walks over.
template <typename T>
struct RowPart {
  const T* p;
  const T* q;  ///< null without a masked policy
  RowCut cut;
  Slice slice;
  int edge;  ///< the column this thread takes besides its vectors, or -1

  PAPO_DEV RowPart(const T* row_p, const T* row_q, int vocab, int part, int parts)
      : p(row_p),
        q(row_q),
        cut(cut_row(row_p, vocab)),
        slice(slice_of(cut, part, parts)),
        edge(edge_column<T>(cut, part)) {}

  PAPO_DEV float edge_of_p() const { return Format<T>::value(dev::load_element(p + edge)); }
  PAPO_DEV float edge_of_q() const { return Format<T>::value(dev::load_element(q + edge)); }
  PAPO_DEV int column_of(int i) const { return cut.head + (slice.begin + i) * kEntries<T>; }
};

/// The slices in shared memory, in chunks that arrive one after the other.
template <typename T>
struct SharedRows {
  const uint4* p;
  const uint4* q;
  std::uint64_t* barriers;
  int count;

  PAPO_DEV static int chunk_of(int count) {
    return (count + kChunks * kThreads - 1) / (kChunks * kThreads) * kThreads;
  }

  /// Starts the copies. One thread, which has made the barriers.
  template <bool kMasked>
  PAPO_DEV void fetch(const RowPart<T>& part) const {
    const int chunk = chunk_of(count);
    for (int begin = 0, i = 0; begin < count; begin += chunk, ++i) {
      const int vectors = begin + chunk < count ? chunk : count - begin;
      const auto bytes = static_cast<unsigned>(vectors) * 16;
      const std::int64_t column = part.column_of(begin);
      dev::barrier_expect(barriers + i, kMasked ? 2 * bytes : bytes);
      dev::bulk_load(const_cast<uint4*>(p) + begin, part.p + column, bytes, barriers + i);
      if constexpr (kMasked) {
        dev::bulk_load(const_cast<uint4*>(q) + begin, part.q + column, bytes, barriers + i);
      }
    }
  }

  template <bool kBoth, bool kLast, typename Start, typename Visit>
  PAPO_DEV void each(Start&& start, Visit&& visit) const {
    const auto thread = static_cast<int>(dev::thread_index());
    const int chunk = chunk_of(count);
    const dev::SharedVectors at_p = dev::shared_vectors(p);
    const dev::SharedVectors at_q = dev::shared_vectors(q);
    if (count > 0) dev::barrier_wait(barriers, 0);
    start(thread < count ? dev::load_shared(at_p, thread) : no_tokens<T>(),
          kBoth && thread < count ? dev::load_shared(at_q, thread) : no_tokens<T>());
    PAPO_ROLLED
    for (int begin = 0, i = 0; begin < count; begin += chunk, ++i) {
      // Only the first walk finds chunks missing; later ones ask for what is long complete.
      dev::barrier_wait(barriers + i, 0);
      const int end = begin + chunk < count ? begin + chunk : count;
      PAPO_ROLLED
      for (int vector = begin + thread; vector < end; vector += kThreads) {
        visit(vector, dev::load_shared(at_p, vector),
              kBoth ? dev::load_shared(at_q, vector) : no_tokens<T>());
      }
    }
  }
};

/// The rows where they lie. The policy's vectors are whole by the way the row was cut; the masked one's may not be.
template <typename T>
struct GlobalRows {
  const T* p;
  const T* q;
  bool whole_q;
  int count;

  PAPO_DEV explicit GlobalRows(const RowPart<T>& part)
      : p(part.p + part.column_of(0)),
        q(part.q == nullptr ? nullptr : part.q + part.column_of(0)),
        whole_q(reinterpret_cast<std::uintptr_t>(q) % 16 == 0),
        count(part.slice.vectors()) {}

  template <bool kLast>
  PAPO_DEV uint4 load_p(int i) const {
    const T* at = p + static_cast<std::int64_t>(i) * kEntries<T>;
    return kLast ? dev::load_vector_last(at) : dev::load_vector(at);
  }
  template <bool kLast>
  PAPO_DEV uint4 load_q(int i) const {
    const T* at = q + static_cast<std::int64_t>(i) * kEntries<T>;
    if (!whole_q) return gather_vector(at);
    return kLast ? dev::load_vector_last(at) : dev::load_vector(at);
  }

  /// Where the rows come from memory, the next vectors are on their way while `visit` works on these. `kLast` if no
  /// walk follows: it reads from the L2, and the gradients want the registers.
  template <bool kBoth, bool kLast, typename Start, typename Visit>
  PAPO_DEV void each(Start&& start, Visit&& visit) const {
    auto i = static_cast<int>(dev::thread_index());
    uint4 next_p = no_tokens<T>();
    uint4 next_q = no_tokens<T>();
    if (!kLast && i < count) {
      next_p = load_p<kLast>(i);
      if constexpr (kBoth) next_q = load_q<kLast>(i);
    }
    start(next_p, next_q);
    PAPO_ROLLED
    for (; i < count; i += kThreads) {
      if constexpr (kLast) {
        visit(i, load_p<kLast>(i), kBoth ? load_q<kLast>(i) : no_tokens<T>());
      } else {
        const uint4 now_p = next_p;
        const uint4 now_q = next_q;
        if (i + kThreads < count) {
          next_p = load_p<kLast>(i + kThreads);
          if constexpr (kBoth) next_q = load_q<kLast>(i + kThreads);
        }
        visit(i, now_p, now_q);
      }
    }
  }
};

/// For walks that need nothing of their first vectors.
struct NoStart {
  PAPO_DEV void operator()(const uint4&, const uint4&) const {}
};

}  // namespace papo::cuda
