// The sampled token of a row, summed apart in float64.
//
// Where it holds nearly all of the mass, a float32 lane that it is added in loses what the others of that lane have,
// and these are what 1 - p, and with it the gradient of the row, is made of.

/// How far below its reference the stand-in lies, about: e^-64 is nothing beside the 1 that a row sums to at least.
inline constexpr float kStandIn = -64.0F;
/// As near as rounding to 16 bits may bring it; e^-41 is nothing either.
inline constexpr float kNearestStandIn = -41.0F;

/// One column of a row pair: walks take its block without it, and its own terms are added after the last block.
template <typename T, bool kMasked>
class ChosenToken {
 public:
  /// `id` may lie past the end, where another shard holds the token.
  ChosenToken(const T* p, const T* q, std::size_t vocab, std::size_t id, float inverse_temperature)
      : id_(id), inverse_temperature_(inverse_temperature) {
    if (id >= vocab) return;
    logit_p_ = to_float(p[id]);
    if constexpr (kMasked) logit_q_ = to_float(q[id]);
    // A token alone keeps its exact zeros in the walk. At a temperature that leaves nothing of its inverse, no stand-in
    // would be without mass.
    apart_ = vocab > 1 && inverse_temperature > 0 && std::isfinite(z_p()) && std::isfinite(z_q());
  }

  /// Not where this row or shard lacks it, nor where one policy holds it impossible or has no number for it.
  bool apart() const { return apart_; }
  bool apart_in(const Block<T>& block) const {
    return apart_ && block.offset <= id_ && id_ < block.offset + block.columns;
  }

  float z_p() const { return logit_p_ * inverse_temperature_; }
  float z_q() const { return logit_q_ * inverse_temperature_; }

  /// The block with a token without mass in its place, good until the next call.
  Block<T> left_out_of(const Block<T>& block, float reference_p, float reference_q) {
    const std::size_t at = id_ - block.offset;
    std::memcpy(block_p_, block.p, block.count * sizeof(T));
    bool plain = stand_in(reference_p, block_p_[at]);
    if constexpr (kMasked) {
      std::memcpy(block_q_, block.q, block.count * sizeof(T));
      plain = stand_in(reference_q, block_q_[at]) && plain;
    }
    if (!plain) {
      // In both, or one policy would seem to lack what the other has.
      block_p_[at] = negative_infinity<T>();
      if constexpr (kMasked) block_q_[at] = negative_infinity<T>();
    }
    return {block_p_, kMasked ? block_q_ : nullptr, block.count, block.offset, block.columns};
  }

  void add_to(RowState& state) const {
    const double t_p = above(logit_p_, state.reference_p);
    const double e_p = std::exp(t_p);
    state.sum_p += e_p;
    state.dot_p += e_p * t_p;
    if constexpr (kMasked) {
      const double t_q = above(logit_q_, state.reference_q);
      const double e_q = std::exp(t_q);
      state.sum_q += e_q;
      state.dot_q += e_q * t_q;
      state.cross_p += e_p * (t_p - t_q);
      state.cross_q += e_q * (t_q - t_p);
    }
  }

 private:
  /// False if the type has no logit that is without mass and yet good for the plain form: it may be too coarse there,
  /// or end before.
  bool stand_in(float reference, T& logit) const {
    from_float((reference + kStandIn) / inverse_temperature_, logit);
    const float t = to_float(logit) * inverse_temperature_ - reference;
    return t >= kNoMass && t <= kNearestStandIn;
  }

  double above(float logit, float reference) const {
    return static_cast<double>(logit) * static_cast<double>(inverse_temperature_) -
           static_cast<double>(reference);
  }

  std::size_t id_;
  float inverse_temperature_;
  float logit_p_ = 0;
  float logit_q_ = 0;
  bool apart_ = false;
  T block_p_[kBlock];
  T block_q_[kMasked ? kBlock : 1];
};
