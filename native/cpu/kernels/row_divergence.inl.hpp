// The walk that a row pair takes once more when its two policies nearly agree.
//
// The one-pass sums leave an absolute error of about 1e-7, which is everything when the KL is that small.
// With r = log p - log q this sums p (e^-r - 1 + r) and q (e^r - 1 - r): every term is small and none cancels.
// Blocks are tried in the plain form, which takes one exponential and no select; where that could not hold a block,
// it is done again in the careful form, and so are those that follow, until one that would not have needed it.

/// What the walk needs of its row.
struct DivergenceRow {
  float inverse_temperature;
  float reference_p;
  float reference_q;
  /// log p - log q is the difference of the logits over the temperature, plus this.
  float shift;
  /// e^(logit over temperature - reference) times this is a probability.
  double share_p;
  double share_q;
};

struct BlockDivergence {
  double kl = 0;
  double reverse_kl = 0;
  /// The plain form can hold the block.
  bool close = true;
};

/// The largest |log p - log q| of the plain form.
inline constexpr float kClose = 1.0F;

/// With f(r) = (e^-r - 1 + r) / r^2 the terms are p r^2 f and p r^2 (1 - (1 + r) f), so that q takes no exponential.
/// f is a polynomial whose error is below 1e-7 of it for |r| <= kClose (least largest relative error; the series
/// 1/2 - r/6 + r^2/24 - ... would take nine terms).
template <typename T, bool kUnit>
inline BlockDivergence close_divergence(const Block<T>& block, const DivergenceRow& row) {
  const Vec scale = Vec::set(row.inverse_temperature);
  const Vec minus_p = Vec::set(-row.reference_p);
  const Vec shift = Vec::set(row.shift);
  const Vec zero = Vec::set(0);
  Vec furthest = zero;
  Vec outer[3] = {zero, zero, zero};
  for (std::size_t begin = 0; begin < block.count; begin += kInner) {
    const std::size_t end = begin + kInner < block.count ? begin + kInner : block.count;
    Vec both = zero, forward = zero, skew = zero;
    const auto take = [&](Vec x_p, Vec x_q) {
      Vec t_p = scaled<kUnit>(x_p, scale, minus_p);
      // max with t second lets NaN through.
      if constexpr (!Vec::kExpSaturates) t_p = max(Vec::set(kNoMass), t_p);
      // From the logits' own difference, exact when they are close; t_p - t_q would carry both roundings.
      const Vec r = scaled<kUnit>(x_p - x_q, scale, shift);
      const Vec r2 = r * r;
      furthest = max(furthest, r2);
      Vec f = fma(Vec::set(2.4960812e-5F), r, Vec::set(-2.0325484e-4F));
      f = fma(f, r, Vec::set(1.3891335e-3F));
      f = fma(f, r, Vec::set(-8.3309305e-3F));
      f = fma(f, r, Vec::set(4.1666515e-2F));
      f = fma(f, r, Vec::set(-0.16666696F));
      f = fma(f, r, Vec::set(0.5F));
      const Vec weight = exp_limited(t_p) * r2;
      const Vec term = weight * f;
      both = both + weight;
      forward = forward + term;
      skew = fma(term, r, skew);
    };
    constexpr bool kEvenOdd = kPairsEvenOdd<T>;
    std::size_t i = begin;
    for (const std::size_t pairs = end_of_pairs(begin, end); i < pairs; i += 2 * Vec::kWidth) {
      const Pair x_p = load_pair<kEvenOdd>(block.p + i);
      const Pair x_q = load_pair<kEvenOdd>(block.q + i);
      take(x_p.first, x_q.first);
      take(x_p.second, x_q.second);
    }
    for (; i < end; i += Vec::kWidth) take(Vec::load(block.p + i), Vec::load(block.q + i));
    outer[0] = outer[0] + both;
    outer[1] = outer[1] + forward;
    outer[2] = outer[2] + skew;
  }
  const double both = sum(outer[0]), forward = sum(outer[1]), skew = sum(outer[2]);
  // `furthest` may have lost a NaN; the sums have not.
  const bool close = largest(furthest) <= kClose * kClose && std::isfinite(both + forward + skew);
  return {forward * row.share_p, (both - forward - skew) * row.share_p, close};
}

/// Takes whatever there is.
template <typename T>
inline BlockDivergence far_divergence(const Block<T>& block, const DivergenceRow& row) {
  const Vec scale = Vec::set(row.inverse_temperature);
  const Vec minus_p = Vec::set(-row.reference_p);
  const Vec minus_q = Vec::set(-row.reference_q);
  const Vec shift = Vec::set(row.shift);
  const Vec share_p = Vec::set(static_cast<float>(row.share_p));
  const Vec share_q = Vec::set(static_cast<float>(row.share_q));
  const Vec zero = Vec::set(0);
  const Vec one = Vec::set(1);
  const Vec no_mass = Vec::set(kNoMass);
  const Vec small = Vec::set(0.25F);
  const Vec close = Vec::set(kClose);
  Vec far = zero;
  BlockDivergence divergence;
  for (std::size_t begin = 0; begin < block.count; begin += kInner) {
    const std::size_t end = begin + kInner < block.count ? begin + kInner : block.count;
    Vec sum_p = zero;
    Vec sum_q = zero;
    for (std::size_t i = begin; i < end; i += Vec::kWidth) {
      const Vec x_p = Vec::load(block.p + i);
      const Vec x_q = Vec::load(block.q + i);
      const Vec t_p = fma(x_p, scale, minus_p);
      const Vec t_q = fma(x_q, scale, minus_q);
      const Vec prob_p = select(less(t_p, no_mass), zero, exp_limited(max(no_mass, t_p)) * share_p);
      const Vec prob_q = select(less(t_q, no_mass), zero, exp_limited(max(no_mass, t_q)) * share_q);
      const Vec r = fma(x_p - x_q, scale, shift);
      // e^-r - 1 + r = r^2 (1/2 - r/6 + r^2/24 - r^3/120 + r^4/720) and the same with r -> -r.
      const Vec r2 = r * r;
      const Vec even = fma(fma(Vec::set(1.0F / 720), r2, Vec::set(1.0F / 24)), r2, Vec::set(0.5F));
      const Vec odd = r * fma(Vec::set(1.0F / 120), r2, Vec::set(1.0F / 6));
      const Vec magnitude = max(r, zero - r);
      const Mask near = less(magnitude, small);
      const Vec gap = prob_q - prob_p;
      const Vec far_p = select(equal(prob_p, zero), gap, fma(prob_p, r, gap));
      const Vec far_q = select(equal(prob_q, zero), zero - gap, (zero - gap) - prob_q * r);
      sum_p = sum_p + select(near, prob_p * r2 * (even - odd), far_p);
      sum_q = sum_q + select(near, prob_q * r2 * (even + odd), far_q);
      // Far is what is not less, NaN among it.
      far = max(far, select(less(magnitude, close), zero, one));
    }
    divergence.kl += sum(sum_p);
    divergence.reverse_kl += sum(sum_q);
  }
  divergence.close = largest(far) == 0;
  return divergence;
}

/// KL(p || q) and KL(q || p) of a row whose policies nearly agree, to full relative precision.
template <typename T>
inline void row_divergence(const T* p, const T* q, std::size_t vocab, float inverse_temperature,
                           const RowState& state, double& kl, double& reverse_kl) {
  const double log_sums = std::log(state.sum_p) - std::log(state.sum_q);
  const DivergenceRow row = {
      inverse_temperature,
      state.reference_p,
      state.reference_q,
      static_cast<float>(static_cast<double>(state.reference_q) -
                         static_cast<double>(state.reference_p) - log_sums),
      1 / state.sum_p,
      1 / state.sum_q,
  };
  const auto plain =
      inverse_temperature == 1 ? close_divergence<T, true> : close_divergence<T, false>;
  double forward = 0;
  double backward = 0;
  bool close = true;
  const RowBlocks<T> blocks(p, q, vocab);
  // From the end, where the walk before this one stopped: that part of the row is in a cache still.
  for (std::size_t index = blocks.size(); index-- > 0;) {
    const Block<T> block = blocks[index];
    BlockDivergence divergence;
    if (close) {
      divergence = plain(block, row);
      close = divergence.close;
    }
    if (!close) {
      divergence = far_divergence(block, row);
      close = divergence.close;
    }
    forward += divergence.kl;
    backward += divergence.reverse_kl;
  }
  kl = std::fmax(0.0, forward);
  reverse_kl = std::fmax(0.0, backward);
}
