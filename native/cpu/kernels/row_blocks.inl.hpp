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

/// One block of a row pair. One at an end may be a copy, padded to a whole vector with -Infinity, so that nothing
/// beyond the row is read: then `columns` < `count`.
template <typename T>
struct Block {
  const T* p;
  const T* q;  ///< null if only one row is walked
  std::size_t count;
  std::size_t offset;
  std::size_t columns;
};

/// A row pair, block by block. The first `head` columns are a block of their own, so that those that follow begin at
/// the addresses that a store wants.
template <typename T>
class RowBlocks {
 public:
  RowBlocks(const T* p, const T* q, std::size_t vocab, std::size_t head = 0)
      : p_(p), q_(q), vocab_(vocab), head_(head) {
    whole_ = head + (vocab - head) / Vec::kWidth * Vec::kWidth;
    body_ = (whole_ - head + kBlock - 1) / kBlock;
    copy(p, q, 0, head, head_p_, head_q_);
    copy(p, q, whole_, vocab - whole_, end_p_, end_q_);
  }

  std::size_t size() const { return (head_ > 0) + body_ + (whole_ < vocab_); }

  Block<T> operator[](std::size_t index) const {
    if (head_ > 0 && index-- == 0) return padded(head_p_, head_q_, 0, head_);
    if (index == body_) return padded(end_p_, end_q_, whole_, vocab_ - whole_);
    const std::size_t offset = head_ + index * kBlock;
    const std::size_t count = offset + kBlock < whole_ ? kBlock : whole_ - offset;
    return {p_ + offset, q_ == nullptr ? nullptr : q_ + offset, count, offset, count};
  }

 private:
  static void copy(const T* p, const T* q, std::size_t offset, std::size_t columns, T* to_p,
                   T* to_q) {
    for (std::size_t i = 0; i < Vec::kWidth; ++i) {
      const bool inside = i < columns;
      to_p[i] = inside ? p[offset + i] : negative_infinity<T>();
      to_q[i] = inside && q != nullptr ? q[offset + i] : negative_infinity<T>();
    }
  }
  Block<T> padded(const T* p, const T* q, std::size_t offset, std::size_t columns) const {
    return {p, q_ == nullptr ? nullptr : q, Vec::kWidth, offset, columns};
  }

  const T* p_;
  const T* q_;
  std::size_t vocab_;
  std::size_t head_;
  std::size_t whole_;  ///< where the vectors of the body end
  std::size_t body_;   ///< blocks of the body
  T head_p_[Vec::kWidth];
  T head_q_[Vec::kWidth];
  T end_p_[Vec::kWidth];
  T end_q_[Vec::kWidth];
};
