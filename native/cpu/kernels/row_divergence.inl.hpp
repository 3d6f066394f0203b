// The walk that a row pair takes once more when its two policies nearly agree.

/// KL(p || q) and KL(q || p) of a row whose policies nearly agree, to full relative precision.
///
/// The one-pass sums leave an absolute error of about 1e-7, which is everything when the KL is that small.
/// With r = log p - log q this sums p (e^-r - 1 + r) and q (e^r - 1 - r): every term is small and none cancels.
template <typename T>
inline void row_divergence(const T* p, const T* q, std::size_t vocab, float inverse_temperature,
                           const RowState& state, double& kl, double& reverse_kl) {
  const Vec scale = Vec::set(inverse_temperature);
  const Vec minus_p = Vec::set(-state.reference_p);
  const Vec minus_q = Vec::set(-state.reference_q);
  const double log_sums = std::log(state.sum_p) - std::log(state.sum_q);
  const Vec shift = Vec::set(static_cast<float>(static_cast<double>(state.reference_q) -
                                                static_cast<double>(state.reference_p) - log_sums));
  const Vec share_p = Vec::set(static_cast<float>(1 / state.sum_p));
  const Vec share_q = Vec::set(static_cast<float>(1 / state.sum_q));
  const Vec zero = Vec::set(0);
  const Vec no_mass = Vec::set(kNoMass);
  const Vec small = Vec::set(0.25F);
  double forward = 0;
  double backward = 0;
  const RowBlocks<T> blocks(p, q, vocab);
  for (std::size_t index = 0; index < blocks.size(); ++index) {
    const Block<T> block = blocks[index];
    for (std::size_t begin = 0; begin < block.count; begin += kInner) {
      const std::size_t end = begin + kInner < block.count ? begin + kInner : block.count;
      Vec sum_p = zero;
      Vec sum_q = zero;
      for (std::size_t i = begin; i < end; i += Vec::kWidth) {
        const Vec x_p = Vec::load(block.p + i);
        const Vec x_q = Vec::load(block.q + i);
        const Vec t_p = fma(x_p, scale, minus_p);
        const Vec t_q = fma(x_q, scale, minus_q);
        const Vec prob_p =
            select(less(t_p, no_mass), zero, exp_limited(max(no_mass, t_p)) * share_p);
        const Vec prob_q =
            select(less(t_q, no_mass), zero, exp_limited(max(no_mass, t_q)) * share_q);
        // From the logits' own difference, exact when they are close; t_p - t_q would carry both roundings.
        const Vec r = fma(x_p - x_q, scale, shift);
        // e^-r - 1 + r = r^2 (1/2 - r/6 + r^2/24 - r^3/120 + r^4/720) and the same with r -> -r.
        const Vec r2 = r * r;
        const Vec even =
            fma(fma(Vec::set(1.0F / 720), r2, Vec::set(1.0F / 24)), r2, Vec::set(0.5F));
        const Vec odd = r * fma(Vec::set(1.0F / 120), r2, Vec::set(1.0F / 6));
        const Vec magnitude = max(r, zero - r);
        const Mask near = less(magnitude, small);
        const Vec gap = prob_q - prob_p;
        const Vec far_p = select(equal(prob_p, zero), gap, fma(prob_p, r, gap));
        const Vec far_q = select(equal(prob_q, zero), zero - gap, (zero - gap) - prob_q * r);
        sum_p = sum_p + select(near, prob_p * r2 * (even - odd), far_p);
        sum_q = sum_q + select(near, prob_q * r2 * (even + odd), far_q);
      }
      forward += sum(sum_p);
      backward += sum(sum_q);
    }
  }
  kl = std::fmax(0.0, forward);
  reverse_kl = std::fmax(0.0, backward);
}
