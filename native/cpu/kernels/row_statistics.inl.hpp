// The walk down the vocabulary: one row pair -> RowState, every logit read once, one exponential each.
//
// A row is walked in blocks of 1024. A block is first tried plainly: relative to the references found so far,
// with no clamps, keeping only the smallest and largest t. If some t was too large the references move up and
// the block is done again; if some was below kNoMass (or -Infinity) it is done again carefully, with selects.
// On rows of ordinary logits neither happens, and the loop holds nothing but the arithmetic.
// Lane sums are float32 over 16 additions, then over the block; across blocks they are float64.

inline constexpr std::size_t kBlock = 1024;
inline constexpr std::size_t kInner = 16 * Vec::kWidth;
static_assert(kBlock % kInner == 0, "a block holds whole inner sums");
/// How far above its reference a logit may lie before the reference moves; small, so that t keeps its digits.
inline constexpr float kHeadroom = 4.0F;
/// Stands for an infinite difference where it is multiplied by 0.
inline constexpr float kHuge = 3e38F;

/// What the walk down leaves for the walk up, so that each logit costs one exponential: e, padded to whole
/// vectors, and per block the references it was taken at and whether its t can be infinite.
struct KeptExponentials {
  float* p = nullptr;
  float* q = nullptr;
  float* reference_p = nullptr;
  float* reference_q = nullptr;
  float* careful = nullptr;

  static std::size_t blocks(std::size_t vocab) { return vocab / kBlock + 2; }
  static std::size_t padded(std::size_t vocab) { return vocab + 64; }
  static std::size_t floats(std::size_t vocab) { return 2 * padded(vocab) + 3 * blocks(vocab); }
  static KeptExponentials in(float* memory, std::size_t vocab) {
    const std::size_t row = padded(vocab);
    float* references = memory + 2 * row;
    return {memory, memory + row, references, references + blocks(vocab),
            references + 2 * blocks(vocab)};
  }
};

struct BlockStatistics {
  RowState state;
  float lowest;
  float highest;
};

template <typename T, bool kMasked, bool kKeep, bool kCareful>
inline BlockStatistics block_statistics(const T* p, const T* q, std::size_t count,
                                        float inverse_temperature, float reference_p,
                                        float reference_q, float* keep_p, float* keep_q) {
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
    for (std::size_t i = begin; i < end; i += Vec::kWidth) {
      const Vec t_p = fma(Vec::load(p + i), scale, minus_p);
      lowest = min(lowest, t_p);
      highest = max(highest, t_p);
      Vec e_p;
      Vec s_p = t_p;
      if constexpr (kCareful) {
        // max with t second lets NaN through.
        s_p = max(no_mass, t_p);
        e_p = select(less(t_p, no_mass), zero, exp_limited(s_p));
      } else {
        e_p = exp_limited(t_p);
      }
      if constexpr (kKeep) e_p.store(keep_p + i);
      sum_p = sum_p + e_p;
      dot_p = fma(e_p, s_p, dot_p);
      if constexpr (kMasked) {
        const Vec t_q = fma(Vec::load(q + i), scale, minus_q);
        lowest = min(lowest, t_q);
        highest = max(highest, t_q);
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
        if constexpr (kKeep) e_q.store(keep_q + i);
        sum_q = sum_q + e_q;
        dot_q = fma(e_q, s_q, dot_q);
        cross_p = fma(e_p, difference, cross_p);
        cross_q = fma(e_q, difference, cross_q);
      }
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
  block.state.reference_p = reference_p;
  block.state.sum_p = sum(outer[0]);
  block.state.dot_p = sum(outer[1]);
  if constexpr (kMasked) {
    block.state.reference_q = reference_q;
    block.state.sum_q = sum(outer[2]);
    block.state.dot_q = sum(outer[3]);
    block.state.cross_p = sum(outer[4]);
    block.state.cross_q = -sum(outer[5]);
    if constexpr (kCareful) {
      block.state.uncovered_p = largest(uncovered_p) + reference_p;
      block.state.uncovered_q = largest(uncovered_q) + reference_q;
    }
  }
  block.lowest = smallest(lowest);
  block.highest = largest(highest);
  return block;
}

/// Largest logit of a block over the temperature.
template <typename T>
inline float block_reference(const T* logits, std::size_t count, float inverse_temperature) {
  Vec highest = Vec::set(kNoReference);
  for (std::size_t i = 0; i < count; i += Vec::kWidth)
    highest = max(highest, Vec::load(logits + i));
  return larger(largest(highest) * inverse_temperature, kNoReference);
}

/// Calls `visit(p, q, count, offset, columns)` for each block of a row; the last may be a copy of the row's end,
/// padded to a whole vector with -Infinity, so that nothing past the vocabulary is read.
template <typename T, bool kMasked, typename Visit>
inline void for_blocks(const T* p, const T* q, std::size_t vocab, Visit&& visit) {
  const std::size_t whole = vocab / Vec::kWidth * Vec::kWidth;
  for (std::size_t offset = 0; offset < whole; offset += kBlock) {
    const std::size_t count = offset + kBlock < whole ? kBlock : whole - offset;
    visit(p + offset, kMasked ? q + offset : nullptr, count, offset, count);
  }
  if (whole == vocab) return;
  T end_p[Vec::kWidth];
  T end_q[Vec::kWidth];
  for (std::size_t i = 0; i < Vec::kWidth; ++i) {
    const bool inside = whole + i < vocab;
    end_p[i] = inside ? p[whole + i] : negative_infinity<T>();
    if constexpr (kMasked) end_q[i] = inside ? q[whole + i] : negative_infinity<T>();
  }
  visit(static_cast<const T*>(end_p), kMasked ? static_cast<const T*>(end_q) : nullptr, Vec::kWidth,
        whole, vocab - whole);
}

/// State of the whole row; unusable (see `usable`) if it holds NaN or +Infinity or no finite logit.
template <typename T, bool kMasked, bool kKeep>
inline RowState row_statistics(const T* p, const T* q, std::size_t vocab, float inverse_temperature,
                               const KeptExponentials& kept) {
  RowState state;
  bool careful = false;
  std::size_t block_index = 0;
  for_blocks<T, kMasked>(
      p, q, vocab,
      [&](const T* block_p, const T* block_q, std::size_t count, std::size_t offset, std::size_t) {
        float* keep_p = kKeep ? kept.p + offset : nullptr;
        float* keep_q = kKeep && kMasked ? kept.q + offset : nullptr;
        const auto raise_references = [&] {
          const float reference_p = block_reference(block_p, count, inverse_temperature);
          const float reference_q =
              kMasked ? block_reference(block_q, count, inverse_temperature) : kNoReference;
          rebase(state, larger(state.reference_p, reference_p),
                 larger(state.reference_q, reference_q));
        };
        const auto walk = [&](bool carefully) {
          return carefully ? block_statistics<T, kMasked, kKeep, true>(
                                 block_p, block_q, count, inverse_temperature, state.reference_p,
                                 state.reference_q, keep_p, keep_q)
                           : block_statistics<T, kMasked, kKeep, false>(
                                 block_p, block_q, count, inverse_temperature, state.reference_p,
                                 state.reference_q, keep_p, keep_q);
        };
        if (block_index == 0) raise_references();
        BlockStatistics block = walk(careful);
        if (block.highest > kHeadroom) {
          raise_references();
          careful = true;
          block = walk(careful);
        } else if (!careful && block.lowest < kNoMass) {
          careful = true;
          block = walk(careful);
        }
        if constexpr (kKeep) {
          kept.reference_p[block_index] = state.reference_p;
          kept.reference_q[block_index] = state.reference_q;
          kept.careful[block_index] = careful ? 1.0F : 0.0F;
        }
        careful = block.lowest < kNoMass;
        add(state, block.state);
        ++block_index;
      });
  return state;
}

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
  for_blocks<T, true>(
      p, q, vocab,
      [&](const T* block_p, const T* block_q, std::size_t count, std::size_t, std::size_t) {
        for (std::size_t begin = 0; begin < count; begin += kInner) {
          const std::size_t end = begin + kInner < count ? begin + kInner : count;
          Vec sum_p = zero;
          Vec sum_q = zero;
          for (std::size_t i = begin; i < end; i += Vec::kWidth) {
            const Vec x_p = Vec::load(block_p + i);
            const Vec x_q = Vec::load(block_q + i);
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
      });
  kl = std::fmax(0.0, forward);
  reverse_kl = std::fmax(0.0, backward);
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
