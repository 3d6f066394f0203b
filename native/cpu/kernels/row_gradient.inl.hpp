// The walk up the vocabulary: coefficients of one row -> gradients of both logits, each written once.

inline Vec lane(double value) { return Vec::set(static_cast<float>(value)); }

/// True if some t of the block lies below kNoMass, so that the careful form is needed.
template <typename T>
inline bool needs_care(const T* logits, std::size_t count, float inverse_temperature,
                       float reference) {
  Vec lowest = Vec::set(INFINITY);
  for (std::size_t i = 0; i < count; i += Vec::kWidth) lowest = min(lowest, Vec::load(logits + i));
  return !(smallest(lowest) * inverse_temperature - reference >= kNoMass);
}

/// One row's logits and where their gradients go.
template <typename T, typename G>
struct GradientRow {
  const T* p;
  const T* q;  ///< null where the masked row does not matter
  G* grad_p;   ///< null: not written
  G* grad_q;
  std::size_t vocab;
  /// The chosen token's column, or past the end where another shard holds it.
  std::size_t id;
};

/// The walk over one row; blocks in any order, then `finish`.
template <typename T, typename G>
class GradientWalk {
 public:
  /// `store` is a wish: streaming needs addresses that both gradients share, and falls back to plain stores.
  GradientWalk(const GradientRow<T, G>& row, float inverse_temperature, float reference_p,
               float reference_q, const RowGradient& gradient, Store store)
      : row_(row),
        store_(store == Store::stream && !can_stream(row) ? Store::plain : store),
        blocks_(row.p, row.q, row.vocab, store_ == Store::stream ? head_of(row) : 0) {
    // Read what the walk will overwrite, in place or by accumulation.
    const std::size_t id = row.id;
    const bool here = id < row.vocab;
    const auto prepare = [&](const T* logits, const G* grad, double chosen) {
      const bool possible = grad != nullptr && here && to_float(logits[id]) > -INFINITY;
      const float before = possible && store == Store::add ? to_float(grad[id]) : 0;
      return Chosen{possible, before + static_cast<float>(chosen)};
    };
    chosen_p_ = prepare(row.p, row.grad_p, gradient.chosen_p);
    chosen_q_ = prepare(row.q, row.grad_q, gradient.chosen_q);
    lanes_ = {inverse_temperature,
              reference_p,
              reference_q,
              {lane(gradient.p_constant), lane(gradient.p_own), lane(gradient.p_cross),
               lane(gradient.p_other)},
              {lane(gradient.q_constant), lane(gradient.q_own), lane(gradient.q_cross),
               lane(gradient.q_other)}};
    const bool to_p = row.grad_p != nullptr;
    const bool to_q = row.grad_q != nullptr;
    const bool unit = inverse_temperature == 1;
    plainly_ = block_gradient_of<T, G, false>(row.q != nullptr, to_p, to_q, unit, store_);
    carefully_ = block_gradient_of<T, G, true>(row.q != nullptr, to_p, to_q, unit, store_);
  }

  const RowBlocks<T>& blocks() const { return blocks_; }

  void write_block(const Block<T>& block, bool careful) const {
    if (block.columns < block.count) return write_end(block);
    (careful ? carefully_ : plainly_)(
        block.p, block.q, block.count, lanes_,
        row_.grad_p == nullptr ? nullptr : row_.grad_p + block.offset,
        row_.grad_q == nullptr ? nullptr : row_.grad_q + block.offset);
  }

  /// The chosen token has the exact value.
  void finish() const {
    if (store_ == Store::stream) finish_streaming();
    if (chosen_p_.possible) from_float(chosen_p_.value, row_.grad_p[row_.id]);
    if (chosen_q_.possible) from_float(chosen_q_.value, row_.grad_q[row_.id]);
  }

 private:
  struct Chosen {
    bool possible;
    float value;
  };

  /// The padded end of a row goes through a buffer: only `columns` elements are ours to write.
  void write_end(const Block<T>& block) const {
    G end_p[Vec::kWidth];
    G end_q[Vec::kWidth];
    const auto copy = [&](const G* grad, G* end) {
      for (std::size_t i = 0; i < Vec::kWidth; ++i) from_float(0, end[i]);
      for (std::size_t i = 0; store_ == Store::add && grad != nullptr && i < block.columns; ++i)
        end[i] = grad[block.offset + i];
    };
    copy(row_.grad_p, end_p);
    copy(row_.grad_q, end_q);
    carefully_(block.p, block.q, block.count, lanes_, end_p, end_q);
    for (std::size_t i = 0; i < block.columns; ++i) {
      if (row_.grad_p != nullptr) row_.grad_p[block.offset + i] = end_p[i];
      if (row_.grad_q != nullptr) row_.grad_q[block.offset + i] = end_q[i];
    }
  }

  static constexpr std::size_t kVectorBytes = Vec::kWidth * sizeof(G);

  /// Columns before the first address that is a multiple of a vector's bytes.
  static std::size_t columns_before(const G* grad) {
    const auto address = reinterpret_cast<std::uintptr_t>(grad);
    return (kVectorBytes - address % kVectorBytes) % kVectorBytes / sizeof(G);
  }
  static std::size_t head_of(const GradientRow<T, G>& row) {
    return columns_before(row.grad_p != nullptr ? row.grad_p : row.grad_q);
  }
  static bool can_stream(const GradientRow<T, G>& row) {
    if (!kStreams<G>) return false;
    const std::size_t head = head_of(row);
    return head <= row.vocab && (row.grad_q == nullptr || columns_before(row.grad_q) == head);
  }

  GradientRow<T, G> row_;
  Store store_;
  RowBlocks<T> blocks_;
  Chosen chosen_p_;
  Chosen chosen_q_;
  RowLanes lanes_;
  BlockGradient<T, G> plainly_;
  BlockGradient<T, G> carefully_;
};

/// Gradients that no cache would hold are written past them, unless they take the place of the logits.
inline Store store_of(const TensorView& logits, const TensorView& masked_logits,
                      const TensorView& grad_logits, const TensorView& grad_masked_logits) {
  constexpr std::size_t kLarge = std::size_t{1} << 24;
  const bool in_place =
      (grad_logits.present() && grad_logits.data == logits.data) ||
      (grad_masked_logits.present() && grad_masked_logits.data == masked_logits.data);
  const std::size_t bytes = grad_logits.span_bytes() + grad_masked_logits.span_bytes();
  return in_place || bytes < kLarge ? Store::plain : Store::stream;
}

/// The gradient of a row that does not count: zeros, or `left` as it is.
template <typename G>
inline void clear_row(G* grad, std::size_t vocab, bool left) {
  if (grad != nullptr && !left) std::memset(static_cast<void*>(grad), 0, vocab * sizeof(G));
}
