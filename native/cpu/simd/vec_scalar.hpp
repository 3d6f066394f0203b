// Lane type of one lane: the baseline that every processor has, and the plainest reading of the others.
// Included inside an ISA's namespace; `exp_limited` comes from the C library here.

struct Mask {
  bool bits;
};

struct Vec {
  static constexpr std::size_t kWidth = 1;
  static constexpr bool kExpSaturates = true;
  static constexpr bool kEvenOdd = false;
  float lanes;

  static Vec set(float value) { return {value}; }
  template <typename T>
  static Vec load(const T* from) {
    return {to_float(*from)};
  }
  template <typename T>
  void store(T* to) const {
    from_float(lanes, *to);
  }
  void stream(float* to) const { store(to); }
};

inline Vec operator+(Vec a, Vec b) { return {a.lanes + b.lanes}; }
inline Vec operator-(Vec a, Vec b) { return {a.lanes - b.lanes}; }
inline Vec operator*(Vec a, Vec b) { return {a.lanes * b.lanes}; }
/// a * b + c by way of float64, where the product is exact: a processor without the instruction would emulate
/// std::fma slowly, and rounding the product to float32 costs logits of -100 their sixth digit.
inline Vec fma(Vec a, Vec b, Vec c) {
  return {static_cast<float>(static_cast<double>(a.lanes) * static_cast<double>(b.lanes) +
                             static_cast<double>(c.lanes))};
}
/// The second operand where either is NaN, as on x86.
inline Vec max(Vec a, Vec b) { return {a.lanes > b.lanes ? a.lanes : b.lanes}; }
inline Vec min(Vec a, Vec b) { return {a.lanes < b.lanes ? a.lanes : b.lanes}; }
inline Mask less(Vec a, Vec b) { return {a.lanes < b.lanes}; }
inline Mask equal(Vec a, Vec b) { return {a.lanes == b.lanes}; }
inline bool all(Mask mask) { return mask.bits; }
inline Vec select(Mask mask, Vec yes, Vec no) { return mask.bits ? yes : no; }
inline double sum(Vec a) { return static_cast<double>(a.lanes); }
inline float largest(Vec a) { return a.lanes; }
inline float smallest(Vec a) { return a.lanes; }
inline Vec exp_limited(Vec t) { return {std::exp(t.lanes)}; }
inline void finish_streaming() {}
