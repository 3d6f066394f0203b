// The loops over the lane type `Vec` of the surrounding namespace, which also brings
//   stream(float*, Vec)   a non-temporal store where the instruction set has one
//   fence()               what makes such stores complete
//   PAPO_LANES            the asm constraint of a register of lanes

/// Lanes in one turn of a loop: a few cache lines, so that counting costs nothing.
inline constexpr std::size_t kTurn = 4 * Vec::kWidth;

inline double read_one(const float* from, std::size_t size) {
  Vec s0 = Vec::set(0.0F);
  Vec s1 = s0;
  Vec s2 = s0;
  Vec s3 = s0;
  for (std::size_t i = 0; i < size; i += kTurn) {
    s0 = s0 + Vec::load(from + i);
    s1 = s1 + Vec::load(from + i + Vec::kWidth);
    s2 = s2 + Vec::load(from + i + 2 * Vec::kWidth);
    s3 = s3 + Vec::load(from + i + 3 * Vec::kWidth);
  }
  return sum(s0) + sum(s1) + sum(s2) + sum(s3);
}

inline double read(const Arrays& arrays) {
  return read_one(arrays.first, arrays.size) + read_one(arrays.second, arrays.size);
}

inline double read_both(const Arrays& arrays) {
  Vec s0 = Vec::set(0.0F);
  Vec s1 = s0;
  Vec s2 = s0;
  Vec s3 = s0;
  for (std::size_t i = 0; i < arrays.size; i += kTurn / 2) {
    s0 = s0 + Vec::load(arrays.first + i);
    s1 = s1 + Vec::load(arrays.second + i);
    s2 = s2 + Vec::load(arrays.first + i + Vec::kWidth);
    s3 = s3 + Vec::load(arrays.second + i + Vec::kWidth);
  }
  return sum(s0) + sum(s1) + sum(s2) + sum(s3);
}

inline void write(const Arrays& arrays) {
  const Vec one = Vec::set(1.0F);
  for (float* out : {arrays.first_out, arrays.second_out}) {
    for (std::size_t i = 0; i < arrays.size; i += Vec::kWidth) stream(out + i, one);
  }
  fence();
}

inline void streaming_copy_one(const float* from, float* to, std::size_t size) {
  for (std::size_t i = 0; i < size; i += kTurn) {
    for (std::size_t j = i; j < i + kTurn; j += Vec::kWidth) stream(to + j, Vec::load(from + j));
  }
}

inline void streaming_copy(const Arrays& arrays) {
  streaming_copy_one(arrays.first, arrays.first_out, arrays.size);
  streaming_copy_one(arrays.second, arrays.second_out, arrays.size);
  fence();
}

inline void two_by_two(const Arrays& arrays) {
  for (std::size_t i = 0; i < arrays.size; i += kTurn) {
    for (std::size_t j = i; j < i + kTurn; j += Vec::kWidth) {
      stream(arrays.first_out + j, Vec::load(arrays.first + j));
      stream(arrays.second_out + j, Vec::load(arrays.second + j));
    }
  }
  fence();
}

inline void update(const Arrays& arrays) {
  const Vec minus = Vec::set(-1.0F);
  for (std::size_t i = 0; i < arrays.size; i += kTurn) {
    for (std::size_t j = i; j < i + kTurn; j += Vec::kWidth) {
      (Vec::load(arrays.first_out + j) * minus).store(arrays.first_out + j);
      (Vec::load(arrays.second_out + j) * minus).store(arrays.second_out + j);
    }
  }
}

/// To the compiler, lanes that just changed; to the processor, nothing: no instruction, no dependency.
inline void renew(Vec& lanes) { asm volatile("" : "+" PAPO_LANES(lanes.lanes)); }
/// To the compiler, lanes that are needed.
inline void keep(Vec lanes) { asm volatile("" ::PAPO_LANES(lanes.lanes)); }

inline void exponential(Vec& argument) {
  renew(argument);
  keep(exp_limited(argument));
}

/// Each exponential depends on none before it, so they overlap as far as the processor can.
inline void exponentials(std::size_t count) {
  Vec a = Vec::set(-1.0F);
  Vec b = Vec::set(-2.0F);
  Vec c = Vec::set(-3.0F);
  Vec d = Vec::set(-4.0F);
  for (std::size_t i = 0; i < count; i += kTurn) {
    exponential(a);
    exponential(b);
    exponential(c);
    exponential(d);
  }
}

inline constexpr Loops kLoops = {read,       read_both, write,       streaming_copy,
                                 two_by_two, update,    exponentials};
