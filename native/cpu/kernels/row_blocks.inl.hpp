// A row as blocks that stay in the first cache, and what a walk takes of a logit.

/// Columns of a block. Half of it costs 5 % more for the sums' ends, much more would cost digits.
inline constexpr std::size_t kBlock = 1024;

/// Stands for an infinite difference where it is multiplied by 0.
inline constexpr float kHuge = 3e38F;

/// logit / temperature + plus. At temperature 1, the usual one, that is an addition, which leaves the
/// multiply-add pipes to the exponential; the bits are the same.
template <bool kUnit>
inline Vec scaled(Vec logit, Vec inverse_temperature, Vec plus) {
  if constexpr (kUnit) {
    return logit + plus;
  } else {
    return fma(logit, inverse_temperature, plus);
  }
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
