// The loops over the lane type `Vec` of the surrounding namespace, and their table.

inline float total(Vec a) { return static_cast<float>(sum(a)); }

inline float read(const float* p, const float* q, std::size_t count) {
  Vec sums[4] = {Vec::set(0), Vec::set(0), Vec::set(0), Vec::set(0)};
  for (const float* from : {p, q}) {
    for (std::size_t i = 0; i + 4 * Vec::kWidth <= count; i += 4 * Vec::kWidth) {
      for (std::size_t j = 0; j < 4; ++j) sums[j] = sums[j] + Vec::load(from + i + j * Vec::kWidth);
    }
  }
  return total(sums[0] + sums[1] + (sums[2] + sums[3]));
}

inline void copy_streaming(const float* p, const float* q, float* to_p, float* to_q,
                           std::size_t count) {
  for (std::size_t i = 0; i < count; i += Vec::kWidth) {
    Vec::load(p + i).stream(to_p + i);
    Vec::load(q + i).stream(to_q + i);
  }
  finish_streaming();
}

inline void update(float* p, float* q, std::size_t count) {
  const Vec factor = Vec::set(1.0000001F);
  for (std::size_t i = 0; i < count; i += Vec::kWidth) {
    (Vec::load(p + i) * factor).store(p + i);
    (Vec::load(q + i) * factor).store(q + i);
  }
}

inline float exponentials(const float* p, std::size_t count, std::size_t repeats) {
  Vec sums[2] = {Vec::set(0), Vec::set(0)};
  for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::size_t i = 0; i < count; i += 2 * Vec::kWidth) {
      sums[0] = sums[0] + exp_limited(Vec::load(p + i));
      sums[1] = sums[1] + exp_limited(Vec::load(p + i + Vec::kWidth));
    }
  }
  return total(sums[0] + sums[1]);
}

inline double statistics(const float* p, const float* q, std::size_t count, std::size_t repeats) {
  RowState state;
  for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::size_t i = 0; i < count; i += kBlock) {
      add(state,
          block_statistics<float, true, true, false>(p + i, q + i, kBlock, 1.0F, 4.0F, 4.0F).state);
    }
  }
  return state.sum_p + state.sum_q + state.dot_p + state.dot_q + state.cross_p + state.cross_q;
}

inline void gradient(const float* p, const float* q, float* grad_p, float* grad_q,
                     std::size_t count, std::size_t repeats) {
  const LaneCoefficients c = {Vec::set(1.0F), Vec::set(0.5F), Vec::set(0.25F), Vec::set(0.125F)};
  const RowLanes row = {1.0F, 4.0F, 4.0F, c, c};
  const auto walk = block_gradient_of<float, float, false>(true, true, true, true, Store::plain);
  for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::size_t i = 0; i < count; i += kBlock) {
      walk(p + i, q + i, kBlock, row, grad_p + i, grad_q + i);
    }
  }
}

inline constexpr Loops kLoops = {read, copy_streaming, update, exponentials, statistics, gradient};
