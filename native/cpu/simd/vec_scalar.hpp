// Lane type of one lane: the baseline that every processor has, and the plainest reading of the others.
// Included inside an ISA's namespace; `exp_limited` comes from the C library here.

struct Mask {
  bool bits;
};

struct Vec {
  static constexpr std::size_t kWidth = 1;
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
};

inline Vec operator+(Vec a, Vec b) { return {a.lanes + b.lanes}; }
inline Vec operator-(Vec a, Vec b) { return {a.lanes - b.lanes}; }
inline Vec operator*(Vec a, Vec b) { return {a.lanes * b.lanes}; }
/// a * b + c; rounded twice here, since a processor without the instruction would emulate it slowly.
inline Vec fma(Vec a, Vec b, Vec c) { return {a.lanes * b.lanes + c.lanes}; }
/// The second operand where either is NaN, as on x86.
inline Vec max(Vec a, Vec b) { return {a.lanes > b.lanes ? a.lanes : b.lanes}; }
inline Vec min(Vec a, Vec b) { return {a.lanes < b.lanes ? a.lanes : b.lanes}; }
inline Mask less(Vec a, Vec b) { return {a.lanes < b.lanes}; }
inline Mask equal(Vec a, Vec b) { return {a.lanes == b.lanes}; }
inline Vec select(Mask mask, Vec yes, Vec no) { return mask.bits ? yes : no; }
inline double sum(Vec a) { return static_cast<double>(a.lanes); }
inline float largest(Vec a) { return a.lanes; }
inline float smallest(Vec a) { return a.lanes; }
inline Vec exp_limited(Vec t) { return {std::exp(t.lanes)}; }
