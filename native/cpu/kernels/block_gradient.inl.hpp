// One block of the walk up the vocabulary: logits and coefficients -> gradients.
//
//   grad = e_p (constant + own t_p + cross (t_p - t_q)) + other e_q, see math/row_gradient.hpp
//
// In place is safe: an element is written only after its vector was read.

/// Coefficients of one policy as the lanes use them.
struct LaneCoefficients {
  Vec constant, own, cross, other;
};

/// What a walk up needs of its row.
struct RowLanes {
  float inverse_temperature;
  float reference_p;
  float reference_q;
  LaneCoefficients at_p;
  LaneCoefficients at_q;
};

/// kP, kQ: which gradients are written; the policy's own may do without the masked row (kMasked).
template <typename T, typename G, bool kMasked, bool kP, bool kQ, bool kUnit, bool kCareful,
          Store kStore>
inline void block_gradient(const T* p, const T* q, std::size_t count, const RowLanes& row,
                           G* grad_p, G* grad_q) {
  const Vec scale = Vec::set(row.inverse_temperature);
  const Vec minus_p = Vec::set(-row.reference_p);
  const Vec minus_q = Vec::set(-row.reference_q);
  const Vec shift = Vec::set(row.reference_q - row.reference_p);
  const Vec zero = Vec::set(0);
  const Vec no_mass = Vec::set(kNoMass);
  const Vec huge = Vec::set(kHuge);
  const Vec minus_huge = Vec::set(-kHuge);
  const LaneCoefficients at_p = row.at_p;
  const LaneCoefficients at_q = row.at_q;
  const auto exponential = [&](Vec t) {
    if constexpr (kCareful) {
      return select(less(t, no_mass), zero, exp_limited(max(no_mass, t)));
    } else if constexpr (!Vec::kExpSaturates) {
      return exp_limited(max(no_mass, t));
    } else {
      return exp_limited(t);
    }
  };
  // 0 times the infinite inner term of an absent token is 0.
  const auto weighted = [&](Vec e, Vec inner) {
    if constexpr (kCareful) {
      return select(equal(e, zero), zero, e * inner);
    } else {
      return e * inner;
    }
  };

  /// Gradients of one vector of logits; what is not asked for stays as it is.
  const auto gradients = [&](Vec x_p, Vec x_q, Vec& gradient_p, Vec& gradient_q) {
    const Vec t_p = scaled<kUnit>(x_p, scale, minus_p);
    const Vec e_p = exponential(t_p);
    if constexpr (!kMasked) {
      gradient_p = weighted(e_p, fma(at_p.own, t_p, at_p.constant));
    } else {
      const Vec t_q = scaled<kUnit>(x_q, scale, minus_q);
      const Vec e_q = exponential(t_q);
      // From the logits' own difference, exact when they are close; t_p - t_q would carry both roundings.
      Vec difference = scaled<kUnit>(x_p - x_q, scale, shift);
      if constexpr (kCareful) difference = min(huge, max(minus_huge, difference));
      if constexpr (kP) {
        const Vec inner = fma(at_p.cross, difference, fma(at_p.own, t_p, at_p.constant));
        gradient_p = fma(at_p.other, e_q, weighted(e_p, inner));
      }
      if constexpr (kQ) {
        const Vec inner = fma(at_q.cross, difference, fma(at_q.own, t_q, at_q.constant));
        gradient_q = fma(at_q.other, e_p, weighted(e_q, inner));
      }
    }
  };

  constexpr bool kEvenOdd = kPairsEvenOdd<T, G>;
  std::size_t i = 0;
  for (const std::size_t pairs = end_of_pairs(0, count); i < pairs; i += 2 * Vec::kWidth) {
    const Pair x_p = load_pair<kEvenOdd>(p + i);
    const Pair x_q = kMasked ? load_pair<kEvenOdd>(q + i) : x_p;
    Pair gradient_p = x_p;
    Pair gradient_q = x_q;
    gradients(x_p.first, x_q.first, gradient_p.first, gradient_q.first);
    gradients(x_p.second, x_q.second, gradient_p.second, gradient_q.second);
    if constexpr (kP) write<kStore, kEvenOdd>(gradient_p, grad_p + i);
    if constexpr (kQ) write<kStore, kEvenOdd>(gradient_q, grad_q + i);
  }
  for (; i < count; i += Vec::kWidth) {
    const Vec x_p = Vec::load(p + i);
    const Vec x_q = kMasked ? Vec::load(q + i) : x_p;
    Vec gradient_p = x_p;
    Vec gradient_q = x_q;
    gradients(x_p, x_q, gradient_p, gradient_q);
    if constexpr (kP) write<kStore>(gradient_p, grad_p + i);
    if constexpr (kQ) write<kStore>(gradient_q, grad_q + i);
  }
}

template <typename T, typename G>
using BlockGradient = void (*)(const T*, const T*, std::size_t, const RowLanes&, G*, G*);

template <typename T, typename G, bool kMasked, bool kP, bool kQ, bool kCareful>
inline BlockGradient<T, G> block_gradient_of(bool unit, Store store) {
  if constexpr (kCareful) {
    return store == Store::add ? block_gradient<T, G, kMasked, kP, kQ, false, true, Store::add>
                               : block_gradient<T, G, kMasked, kP, kQ, false, true, Store::plain>;
  } else {
    if (store == Store::add) {
      return block_gradient<T, G, kMasked, kP, kQ, false, false, Store::add>;
    }
    if constexpr (kStreams<G>) {
      if (store == Store::stream) {
        return unit ? block_gradient<T, G, kMasked, kP, kQ, true, false, Store::stream>
                    : block_gradient<T, G, kMasked, kP, kQ, false, false, Store::stream>;
      }
    }
    return unit ? block_gradient<T, G, kMasked, kP, kQ, true, false, Store::plain>
                : block_gradient<T, G, kMasked, kP, kQ, false, false, Store::plain>;
  }
}

/// The form for what is asked: which gradients are given, whether the masked row matters.
template <typename T, typename G, bool kCareful>
inline BlockGradient<T, G> block_gradient_of(bool masked, bool to_p, bool to_q, bool unit,
                                             Store store) {
  if (!masked) return block_gradient_of<T, G, false, true, false, kCareful>(unit, store);
  if (!to_q) return block_gradient_of<T, G, true, true, false, kCareful>(unit, store);
  if (!to_p) return block_gradient_of<T, G, true, false, true, kCareful>(unit, store);
  return block_gradient_of<T, G, true, true, true, kCareful>(unit, store);
}
