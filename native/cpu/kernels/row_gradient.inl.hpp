// The walk up the vocabulary: coefficients of one row -> gradients of both logits, each written once.
//
// grad = e_p (constant + own t_p + cross (t_p - t_q)) + other e_q, see math/row_gradient.hpp. The exponentials are
// those kept by the walk down, or taken again from the logits; in place is safe, since an element is written
// only after its vector was read and the chosen token's value comes from the statistics.

/// Coefficients of one policy as the lanes use them.
struct LaneCoefficients {
  Vec constant, own, cross, other;
};

template <typename T, typename G, bool kMasked, bool kCareful>
inline void block_gradient(const T* p, const T* q, std::size_t count, float inverse_temperature,
                           float reference_p, float reference_q, const LaneCoefficients& at_p,
                           const LaneCoefficients& at_q, const float* kept_p, const float* kept_q,
                           bool accumulate, G* grad_p, G* grad_q) {
  const Vec scale = Vec::set(inverse_temperature);
  const Vec minus_p = Vec::set(-reference_p);
  const Vec minus_q = Vec::set(-reference_q);
  const Vec shift = Vec::set(reference_q - reference_p);
  const Vec zero = Vec::set(0);
  const Vec no_mass = Vec::set(kNoMass);
  const Vec huge = Vec::set(kHuge);
  const Vec minus_huge = Vec::set(-kHuge);
  const auto exponential = [&](Vec t, const float* kept) {
    if (kept != nullptr) return Vec::load(kept);
    if constexpr (kCareful) {
      return select(less(t, no_mass), zero, exp_limited(max(no_mass, t)));
    } else {
      return exp_limited(t);
    }
  };
  const auto write = [&](Vec value, G* to) {
    (accumulate ? value + Vec::load(to) : value).store(to);
  };

  for (std::size_t i = 0; i < count; i += Vec::kWidth) {
    const Vec x_p = Vec::load(p + i);
    const Vec t_p = fma(x_p, scale, minus_p);
    const Vec e_p = exponential(t_p, kept_p == nullptr ? nullptr : kept_p + i);
    Vec inner_p = fma(at_p.own, t_p, at_p.constant);
    if constexpr (!kMasked) {
      Vec value = e_p * inner_p;
      if constexpr (kCareful) value = select(equal(e_p, zero), zero, value);
      write(value, grad_p + i);
    } else {
      const Vec x_q = Vec::load(q + i);
      const Vec t_q = fma(x_q, scale, minus_q);
      const Vec e_q = exponential(t_q, kept_q == nullptr ? nullptr : kept_q + i);
      // From the logits' own difference, exact when they are close; t_p - t_q would carry both roundings.
      Vec difference = fma(x_p - x_q, scale, shift);
      if constexpr (kCareful) difference = min(huge, max(minus_huge, difference));
      if (grad_p != nullptr) {
        inner_p = fma(at_p.cross, difference, inner_p);
        Vec value = e_p * inner_p;
        if constexpr (kCareful) value = select(equal(e_p, zero), zero, value);
        write(fma(at_p.other, e_q, value), grad_p + i);
      }
      if (grad_q != nullptr) {
        const Vec inner_q = fma(at_q.cross, difference, fma(at_q.own, t_q, at_q.constant));
        Vec value = e_q * inner_q;
        if constexpr (kCareful) value = select(equal(e_q, zero), zero, value);
        write(fma(at_q.other, e_p, value), grad_q + i);
      }
    }
  }
}

/// True if some t of the block lies below kNoMass, so that the careful form is needed.
template <typename T>
inline bool needs_care(const T* logits, std::size_t count, float inverse_temperature,
                       float reference) {
  Vec lowest = Vec::set(INFINITY);
  for (std::size_t i = 0; i < count; i += Vec::kWidth) lowest = min(lowest, Vec::load(logits + i));
  return !(smallest(lowest) * inverse_temperature - reference >= kNoMass);
}

inline Vec lane(double value, double factor) {
  const double product = value == 0 ? 0 : value * factor;
  return Vec::set(static_cast<float>(product));
}

/// Gradients of one row. `kept` holds the exponentials of the walk down if kKept; a null `grad` is not written.
/// `id` is the chosen token's column, or lies past the end where another shard holds it.
template <typename T, typename G, bool kMasked, bool kKept>
inline void row_gradients(const T* p, const T* q, std::size_t vocab, std::size_t id,
                          float inverse_temperature, float reference_p, float reference_q,
                          const RowGradient& gradient, const KeptExponentials& kept,
                          bool accumulate, G* grad_p, G* grad_q) {
  // Read what the walk will overwrite, in place or by accumulation.
  const bool possible_p = id < vocab && to_float(p[id]) > -INFINITY;
  const bool possible_q = kMasked && id < vocab && to_float(q[id]) > -INFINITY;
  const float before_p = accumulate && possible_p && grad_p != nullptr ? to_float(grad_p[id]) : 0;
  const float before_q = accumulate && possible_q && grad_q != nullptr ? to_float(grad_q[id]) : 0;

  std::size_t block_index = 0;
  for_blocks<T, kMasked>(
      p, q, vocab,
      [&](const T* block_p, const T* block_q, std::size_t count, std::size_t offset,
          std::size_t columns) {
        // Kept exponentials are relative to the references of their block, coefficients to the row's.
        double factor_p = 1;
        double factor_q = 1;
        bool careful;
        if constexpr (kKept) {
          careful = kept.careful[block_index] != 0;
          if (kept.reference_p[block_index] != reference_p) {
            factor_p = std::exp(static_cast<double>(kept.reference_p[block_index]) -
                                static_cast<double>(reference_p));
          }
          if (kMasked && kept.reference_q[block_index] != reference_q) {
            factor_q = std::exp(static_cast<double>(kept.reference_q[block_index]) -
                                static_cast<double>(reference_q));
          }
        } else {
          careful = needs_care(block_p, count, inverse_temperature, reference_p) ||
                    (kMasked && needs_care(block_q, count, inverse_temperature, reference_q));
        }
        const LaneCoefficients at_p = {
            lane(gradient.p_constant, factor_p), lane(gradient.p_own, factor_p),
            lane(gradient.p_cross, factor_p), lane(gradient.p_other, factor_q)};
        const LaneCoefficients at_q = {
            lane(gradient.q_constant, factor_q), lane(gradient.q_own, factor_q),
            lane(gradient.q_cross, factor_q), lane(gradient.q_other, factor_p)};
        const float* kept_p = kKept ? kept.p + offset : nullptr;
        const float* kept_q = kKept && kMasked ? kept.q + offset : nullptr;

        // The padded end of a row goes through a buffer: only `columns` elements are ours to write.
        G end_p[Vec::kWidth];
        G end_q[Vec::kWidth];
        const bool whole = columns == count;
        const auto target = [&](G* grad, G* end) {
          if (grad == nullptr || whole) return grad == nullptr ? nullptr : grad + offset;
          for (std::size_t i = 0; i < Vec::kWidth; ++i) from_float(0, end[i]);
          for (std::size_t i = 0; accumulate && i < columns; ++i) end[i] = grad[offset + i];
          return end;
        };
        G* target_p = target(grad_p, end_p);
        G* target_q = target(grad_q, end_q);
        const auto walk =
            careful ? block_gradient<T, G, kMasked, true> : block_gradient<T, G, kMasked, false>;
        walk(block_p, block_q, count, inverse_temperature, reference_p, reference_q, at_p, at_q,
             kept_p, kept_q, accumulate, target_p, target_q);
        for (std::size_t i = 0; !whole && i < columns; ++i) {
          if (grad_p != nullptr) grad_p[offset + i] = end_p[i];
          if (grad_q != nullptr) grad_q[offset + i] = end_q[i];
        }
        ++block_index;
      });

  if (grad_p != nullptr && possible_p) {
    from_float(before_p + static_cast<float>(gradient.chosen_p), grad_p[id]);
  }
  if (grad_q != nullptr && possible_q) {
    from_float(before_q + static_cast<float>(gradient.chosen_q), grad_q[id]);
  }
}

/// The gradient of a row that does not count: zeros, or what was there.
template <typename G>
inline void clear_row(G* grad, std::size_t vocab, bool accumulate) {
  if (grad != nullptr && !accumulate) std::memset(static_cast<void*>(grad), 0, vocab * sizeof(G));
}
