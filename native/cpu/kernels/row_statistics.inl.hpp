// The walk down the vocabulary: one row pair -> RowState, every logit read once, one exponential each.
//
// Blocks are tried in the plain form, relative to the references found so far. Where that could not hold a block, the
// references move up to its maximum and it is done again, or it is done again in the careful form. On rows
// of ordinary logits neither happens. A row that keeps climbing is looked at before each block instead of after it,
// a row that keeps having infinities is walked carefully, until the next block that needs neither.

/// Columns [begin, end) of a row; empty unless begin < end.
struct ColumnRange {
  std::size_t begin = SIZE_MAX;
  std::size_t end = 0;

  void include(std::size_t from, std::size_t to) {
    if (from >= to) return;
    begin = from < begin ? from : begin;
    end = to > end ? to : end;
  }
  bool meets(std::size_t from, std::size_t to) const { return from < end && begin < to; }
};

/// A reference that rose by more than this leaves columns behind that the plain form might not hold relative to it.
inline constexpr float kFarRise = 80.0F;

/// What the walk down knows of a row.
struct RowWalk {
  RowState state;
  /// Columns outside are good for the plain form of the walk up, at the state's references.
  ColumnRange careful;
};

/// `state` is unusable (see `usable`) if the row holds NaN or +Infinity or no finite logit.
template <typename T, bool kMasked>
inline RowWalk row_statistics(const T* p, const T* q, std::size_t vocab,
                              float inverse_temperature) {
  const auto plainly = inverse_temperature == 1 ? block_statistics<T, kMasked, true, false>
                                                : block_statistics<T, kMasked, false, false>;
  const auto carefully = block_statistics<T, kMasked, false, true>;
  RowWalk walk;
  RowState& state = walk.state;
  bool climbing = true;
  bool careful = false;
  float settled_p = 0;
  float settled_q = 0;
  for_blocks<T, kMasked>(
      p, q, vocab,
      [&](const T* block_p, const T* block_q, std::size_t count, std::size_t offset,
          std::size_t columns) {
        const auto raise_references = [&] {
          const float reference_p =
              larger(state.reference_p, block_reference(block_p, count, inverse_temperature));
          const float reference_q =
              kMasked
                  ? larger(state.reference_q, block_reference(block_q, count, inverse_temperature))
                  : kNoReference;
          if (!(reference_p > state.reference_p + kHeadroom ||
                reference_q > state.reference_q + kHeadroom)) {
            return false;
          }
          rebase(state, reference_p, reference_q);
          if (offset == 0) {
            settled_p = reference_p;
            settled_q = reference_q;
          } else if (reference_p - settled_p > kFarRise || reference_q - settled_q > kFarRise) {
            walk.careful.include(0, offset);
          }
          return true;
        };
        const auto attempt = [&] {
          return (careful ? carefully : plainly)(block_p, block_q, count, inverse_temperature,
                                                 state.reference_p, state.reference_q);
        };
        // The padded end of a row holds infinities; it says nothing about the blocks that follow (there are none).
        if (columns != count) careful = true;
        if (climbing) climbing = raise_references();
        BlockStatistics block = attempt();
        if (block.high && raise_references()) {
          climbing = true;
          block = attempt();
        }
        if (!block.finite && !careful) {
          careful = true;
          block = attempt();
        }
        if (careful) {
          walk.careful.include(offset, offset + columns);
          careful = block.low;
        }
        add(state, block.state);
      });
  return walk;
}

/// Statistics of one row from its state, the chosen token's log-probs included.
template <typename T, bool kMasked>
inline TokenStatistics token_statistics(const T* p, const T* q, std::size_t vocab, std::size_t id,
                                        float inverse_temperature, RowState& state) {
  state.chosen_p = to_float(p[id]);
  if constexpr (kMasked) state.chosen_q = to_float(q[id]);
  TokenStatistics statistics = finish(state, kMasked, inverse_temperature);
  if constexpr (kMasked) {
    if (wants_refinement(statistics)) {
      row_divergence(p, q, vocab, inverse_temperature, state, statistics.kl, statistics.reverse_kl);
    }
  }
  return statistics;
}
