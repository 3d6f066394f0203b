// One block of the walk down the vocabulary, in two forms.
//
// The plain form holds nothing but the arithmetic: no clamps, no selects, no maximum. Its sums say afterwards whether
// it could hold the block: a lane that grew beyond e^4 has a logit too far above the reference, sums that are
// not finite had an infinity. The careful form takes whatever there is.
// Lane sums are float32 over 16 additions, then over the block; across blocks they are float64.

inline constexpr std::size_t kInner = 16 * Vec::kWidth;
static_assert(kBlock % kInner == 0, "a block holds whole inner sums");
/// How far above its reference a logit may lie before the reference moves; small, so that t keeps its digits.
inline constexpr float kHeadroom = 4.0F;
/// e^kHeadroom: a lane whose sum stays below holds no such logit.
inline constexpr float kLaneLimit = 54.59815F;

struct BlockStatistics {
  RowState state;
  /// Some logit may lie more than kHeadroom above its reference.
  bool high = false;
  /// The form could hold the block: no infinity, nothing that the exponential cannot take.
  bool finite = true;
  /// Some logit lies below kNoMass (known to the careful form).
  bool low = false;
};

template <typename T, bool kMasked, bool kUnit, bool kCareful>
inline BlockStatistics block_statistics(const T* p, const T* q, std::size_t count,
                                        float inverse_temperature, float reference_p,
                                        float reference_q) {
  constexpr bool kLooks = kCareful || !Vec::kExpSaturates;
  const Vec scale = Vec::set(inverse_temperature);
  const Vec minus_p = Vec::set(-reference_p);
  const Vec minus_q = Vec::set(-reference_q);
  const Vec zero = Vec::set(0);
  const Vec no_mass = Vec::set(kNoMass);
  const Vec minus_infinity = Vec::set(-INFINITY);
  Vec lowest = Vec::set(INFINITY);
  Vec highest = minus_infinity;
  Vec uncovered_p = minus_infinity;
  Vec uncovered_q = minus_infinity;
  Vec outer[6] = {zero, zero, zero, zero, zero, zero};

  for (std::size_t begin = 0; begin < count; begin += kInner) {
    const std::size_t end = begin + kInner < count ? begin + kInner : count;
    Vec sum_p = zero, dot_p = zero, cross_p = zero;
    Vec sum_q = zero, dot_q = zero, cross_q = zero;
    const auto take = [&](Vec x_p, Vec x_q) {
      const Vec t_p = scaled<kUnit>(x_p, scale, minus_p);
      if constexpr (kLooks) {
        lowest = min(lowest, t_p);
        highest = max(highest, t_p);
      }
      Vec e_p;
      Vec s_p = t_p;
      if constexpr (kCareful) {
        // max with t second lets NaN through.
        s_p = max(no_mass, t_p);
        e_p = select(less(t_p, no_mass), zero, exp_limited(s_p));
      } else {
        e_p = exp_limited(t_p);
      }
      sum_p = sum_p + e_p;
      dot_p = fma(e_p, s_p, dot_p);
      if constexpr (kMasked) {
        const Vec t_q = scaled<kUnit>(x_q, scale, minus_q);
        if constexpr (kLooks) {
          lowest = min(lowest, t_q);
          highest = max(highest, t_q);
        }
        Vec e_q;
        Vec s_q = t_q;
        Vec difference = t_p - t_q;
        if constexpr (kCareful) {
          s_q = max(no_mass, t_q);
          e_q = select(less(t_q, no_mass), zero, exp_limited(s_q));
          const Mask p_absent = equal(t_p, minus_infinity);
          const Mask q_absent = equal(t_q, minus_infinity);
          uncovered_p = max(uncovered_p, select(q_absent, t_p, minus_infinity));
          uncovered_q = max(uncovered_q, select(p_absent, t_q, minus_infinity));
          // Where one policy is absent the difference counts nowhere: what it makes infinite is known by now.
          difference = select(p_absent, zero, select(q_absent, zero, difference));
        } else {
          e_q = exp_limited(t_q);
        }
        sum_q = sum_q + e_q;
        dot_q = fma(e_q, s_q, dot_q);
        cross_p = fma(e_p, difference, cross_p);
        cross_q = fma(e_q, difference, cross_q);
      }
    };
    constexpr bool kEvenOdd = kPairsEvenOdd<T>;
    std::size_t i = begin;
    for (const std::size_t pairs = end_of_pairs(begin, end); i < pairs; i += 2 * Vec::kWidth) {
      fetch_ahead(p + i);
      if constexpr (kMasked) fetch_ahead(q + i);
      const Pair x_p = load_pair<kEvenOdd>(p + i);
      const Pair x_q = kMasked ? load_pair<kEvenOdd>(q + i) : x_p;
      take(x_p.first, x_q.first);
      take(x_p.second, x_q.second);
    }
    for (; i < end; i += Vec::kWidth) {
      const Vec x_p = Vec::load(p + i);
      take(x_p, kMasked ? Vec::load(q + i) : x_p);
    }
    outer[0] = outer[0] + sum_p;
    outer[1] = outer[1] + dot_p;
    if constexpr (kMasked) {
      outer[2] = outer[2] + sum_q;
      outer[3] = outer[3] + dot_q;
      outer[4] = outer[4] + cross_p;
      outer[5] = outer[5] + cross_q;
    }
  }

  BlockStatistics block;
  RowState& state = block.state;
  state.reference_p = reference_p;
  state.sum_p = sum(outer[0]);
  state.dot_p = sum(outer[1]);
  const Vec limit = Vec::set(kLaneLimit);
  block.high = !all(less(outer[0], limit));
  if constexpr (kMasked) {
    state.reference_q = reference_q;
    state.sum_q = sum(outer[2]);
    state.dot_q = sum(outer[3]);
    state.cross_p = sum(outer[4]);
    state.cross_q = -sum(outer[5]);
    block.high = block.high || !all(less(outer[2], limit));
    if constexpr (kCareful) {
      state.uncovered_p = largest(uncovered_p) + reference_p;
      state.uncovered_q = largest(uncovered_q) + reference_q;
    }
  }
  // One sum of all is as finite as the least of them; the walks take no NaN for an answer either.
  block.finite = std::isfinite(state.sum_p + state.dot_p + state.sum_q + state.dot_q +
                               (state.cross_p + state.cross_q));
  if constexpr (kLooks) {
    block.low = smallest(lowest) < kNoMass;
    block.high = largest(highest) > kHeadroom;
    if constexpr (!kCareful) block.finite = block.finite && !block.low && !block.high;
  }
  return block;
}

/// Largest logit of a block over the temperature.
template <typename T>
inline float block_reference(const T* logits, std::size_t count, float inverse_temperature) {
  // Several at a time: one maximum would wait for the one before it.
  constexpr std::size_t kChains = 4;
  const Vec none = Vec::set(kNoReference);
  Vec highest[kChains] = {none, none, none, none};
  std::size_t i = 0;
  for (; i + kChains * Vec::kWidth <= count; i += kChains * Vec::kWidth) {
    for (std::size_t k = 0; k < kChains; ++k)
      highest[k] = max(highest[k], Vec::load(logits + i + k * Vec::kWidth));
  }
  for (; i < count; i += Vec::kWidth) highest[0] = max(highest[0], Vec::load(logits + i));
  const Vec all = max(max(highest[0], highest[1]), max(highest[2], highest[3]));
  return larger(largest(all) * inverse_temperature, kNoReference);
}
