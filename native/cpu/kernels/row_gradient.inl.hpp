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

/// `careful(p, q, count, offset)` says whether a block may hold what the plain form cannot.
template <typename T, typename G, typename Careful>
inline void row_gradients(const GradientRow<T, G>& row, float inverse_temperature,
                          float reference_p, float reference_q, const RowGradient& gradient,
                          Store store, const Careful& careful) {
  const bool masked = row.q != nullptr;
  const bool accumulate = store == Store::add;
  G* const grad_p = row.grad_p;
  G* const grad_q = row.grad_q;
  const std::size_t id = row.id;
  // Read what the walk will overwrite, in place or by accumulation.
  const bool chosen = id < row.vocab;
  const bool possible_p = grad_p != nullptr && chosen && to_float(row.p[id]) > -INFINITY;
  const bool possible_q = grad_q != nullptr && chosen && to_float(row.q[id]) > -INFINITY;
  const float before_p = accumulate && possible_p ? to_float(grad_p[id]) : 0;
  const float before_q = accumulate && possible_q ? to_float(grad_q[id]) : 0;

  const RowLanes lanes = {
      inverse_temperature,
      reference_p,
      reference_q,
      {lane(gradient.p_constant), lane(gradient.p_own), lane(gradient.p_cross),
       lane(gradient.p_other)},
      {lane(gradient.q_constant), lane(gradient.q_own), lane(gradient.q_cross),
       lane(gradient.q_other)}};
  const bool unit = inverse_temperature == 1;
  const auto plainly = block_gradient_of<T, G, false>(masked, grad_p != nullptr, grad_q != nullptr,
                                                      unit, store);
  const auto carefully = block_gradient_of<T, G, true>(masked, grad_p != nullptr,
                                                       grad_q != nullptr, unit, store);
  const auto walk = [&](const T* p, const T* q, std::size_t count, std::size_t offset,
                        std::size_t columns) {
    if (columns == count) {
      (careful(p, q, count, offset) ? carefully : plainly)(
          p, q, count, lanes, grad_p == nullptr ? nullptr : grad_p + offset,
          grad_q == nullptr ? nullptr : grad_q + offset);
      return;
    }
    // The padded end of a row goes through a buffer: only `columns` elements are ours to write.
    G end_p[Vec::kWidth];
    G end_q[Vec::kWidth];
    const auto copy = [&](G* grad, G* end) {
      for (std::size_t i = 0; i < Vec::kWidth; ++i) from_float(0, end[i]);
      for (std::size_t i = 0; accumulate && grad != nullptr && i < columns; ++i)
        end[i] = grad[offset + i];
    };
    copy(grad_p, end_p);
    copy(grad_q, end_q);
    carefully(p, q, count, lanes, end_p, end_q);
    for (std::size_t i = 0; i < columns; ++i) {
      if (grad_p != nullptr) grad_p[offset + i] = end_p[i];
      if (grad_q != nullptr) grad_q[offset + i] = end_q[i];
    }
  };
  if (masked) {
    for_blocks<T, true>(row.p, row.q, row.vocab, walk);
  } else {
    for_blocks<T, false>(row.p, nullptr, row.vocab, walk);
  }

  if (possible_p) from_float(before_p + static_cast<float>(gradient.chosen_p), grad_p[id]);
  if (possible_q) from_float(before_q + static_cast<float>(gradient.chosen_q), grad_q[id]);
}

/// The gradient of a row that does not count: zeros, or what was there.
template <typename G>
inline void clear_row(G* grad, std::size_t vocab, bool accumulate) {
  if (grad != nullptr && !accumulate) std::memset(static_cast<void*>(grad), 0, vocab * sizeof(G));
}
