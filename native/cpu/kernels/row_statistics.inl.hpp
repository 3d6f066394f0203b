// The walk down the vocabulary: one row pair -> RowState, every logit read once, one exponential each.
//
// Blocks are tried in the plain form, relative to the references found so far. Where that could not hold a block, the
// references move up to its maximum and it is done again, or it is done again in the careful form. On rows
// of ordinary logits neither happens. A row that keeps climbing has its references moved to the end of each block before
// that is tried, a row that keeps having infinities is walked carefully, until the next block that needs neither.
// The chosen token stays out of all this: it is added at the end.

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

/// The walk over one row; blocks in order, then `finish`.
template <typename T, bool kMasked>
class StatisticsWalk {
 public:
  StatisticsWalk(const T* p, const T* q, std::size_t vocab, std::size_t id,
                 float inverse_temperature)
      : vocab_(vocab),
        inverse_temperature_(inverse_temperature),
        chosen_(p, q, vocab, id, inverse_temperature),
        plainly_(inverse_temperature == 1 ? block_statistics<T, kMasked, true, false>
                                          : block_statistics<T, kMasked, false, false>) {}

  /// Unusable (see `usable`) if the row holds NaN or +Infinity or no finite logit.
  RowState state;
  /// Columns outside are good for the plain form of the walk up, at the state's references.
  ColumnRange careful_columns;

  void add_block(const Block<T>& block) {
    // The padded end of a row holds infinities.
    if (block.columns != block.count) careful_ = true;
    if (climbing_) climbing_ = raise_references(block.offset == 0 ? block : end_of(block));
    BlockStatistics statistics = attempt(block);
    if (statistics.high && raise_references(block)) {
      climbing_ = true;
      statistics = attempt(block);
    }
    if (!statistics.finite && !careful_) {
      careful_ = true;
      statistics = attempt(block);
    }
    if (careful_) {
      careful_columns.include(block.offset, block.offset + block.columns);
      careful_ = statistics.low;
    }
    add(state, statistics.state);
  }

  void finish() {
    if (!chosen_.apart()) return;
    raise_references(larger(state.reference_p, chosen_.z_p()),
                     kMasked ? larger(state.reference_q, chosen_.z_q()) : kNoReference, vocab_);
    chosen_.add_to(state);
  }

 private:
  BlockStatistics attempt(const Block<T>& whole) {
    const Block<T> block = chosen_.apart_in(whole)
                               ? chosen_.left_out_of(whole, state.reference_p, state.reference_q)
                               : whole;
    return (careful_ ? block_statistics<T, kMasked, false, true> : plainly_)(
        block.p, block.q, block.count, inverse_temperature_, state.reference_p, state.reference_q);
  }

  /// The last vector of a block: where a row climbs, about its maximum, for a look at hardly any memory.
  static Block<T> end_of(const Block<T>& block) {
    const std::size_t before = block.count - Vec::kWidth;
    return {block.p + before, kMasked ? block.q + before : nullptr, Vec::kWidth, block.offset,
            Vec::kWidth};
  }

  /// Moves the references up to the block's maxima, if those lie more than kHeadroom above; true if it did.
  bool raise_references(const Block<T>& block) {
    const auto reference = [&](float before, const T* logits) {
      return larger(before, block_reference(logits, block.count, inverse_temperature_));
    };
    const float reference_p = reference(state.reference_p, block.p);
    const float reference_q = kMasked ? reference(state.reference_q, block.q) : kNoReference;
    return raise_references(reference_p, reference_q, block.offset);
  }

  /// The same to given references, after `columns` of the row.
  bool raise_references(float reference_p, float reference_q, std::size_t columns) {
    if (!(reference_p > state.reference_p + kHeadroom ||
          reference_q > state.reference_q + kHeadroom)) {
      return false;
    }
    rebase(state, reference_p, reference_q);
    if (columns == 0) {
      first_p_ = reference_p;
      first_q_ = reference_q;
    } else if (reference_p - first_p_ > kFarRise || reference_q - first_q_ > kFarRise) {
      careful_columns.include(0, columns);
    }
    return true;
  }

  std::size_t vocab_;
  float inverse_temperature_;
  ChosenToken<T, kMasked> chosen_;
  BlockStatistics (*plainly_)(const T*, const T*, std::size_t, float, float, float);
  bool climbing_ = true;
  bool careful_ = false;
  float first_p_ = 0;
  float first_q_ = 0;
};

template <typename T, bool kMasked>
inline RowState row_statistics(const T* p, const T* q, std::size_t vocab, std::size_t id,
                               float inverse_temperature) {
  StatisticsWalk<T, kMasked> walk(p, q, vocab, id, inverse_temperature);
  const RowBlocks<T> blocks(p, q, vocab);
  for (std::size_t i = 0; i < blocks.size(); ++i) walk.add_block(blocks[i]);
  walk.finish();
  return walk.state;
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
