// Lane type of four lanes: NEON of every 64-bit Arm processor. Included inside an ISA's namespace.

struct Mask {
  uint32x4_t bits;
};

struct Vec {
  static constexpr std::size_t kWidth = 4;
  static constexpr bool kExpSaturates = false;
  static constexpr bool kEvenOdd = false;
  float32x4_t lanes;

  static Vec set(float value) { return {vdupq_n_f32(value)}; }
  static Vec load(const float* from) { return {vld1q_f32(from)}; }
  static Vec load(const BFloat16* from) {
    const uint16x4_t half = vld1_u16(reinterpret_cast<const std::uint16_t*>(from));
    return {vreinterpretq_f32_u32(vshll_n_u16(half, 16))};
  }
  static Vec load(const Float16* from) {
    const uint16x4_t half = vld1_u16(reinterpret_cast<const std::uint16_t*>(from));
    return {vcvt_f32_f16(vreinterpret_f16_u16(half))};
  }
  void store(float* to) const { vst1q_f32(to, lanes); }
  /// Round to nearest even in integer arithmetic; NaN stays NaN.
  void store(BFloat16* to) const {
    const uint32x4_t bits = vreinterpretq_u32_f32(lanes);
    const uint32x4_t high = vshrq_n_u32(bits, 16);
    const uint32x4_t odd = vandq_u32(high, vdupq_n_u32(1));
    const uint32x4_t rounded =
        vshrq_n_u32(vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF))), 16);
    const uint32x4_t number = vceqq_f32(lanes, lanes);
    const uint32x4_t wide = vbslq_u32(number, rounded, vorrq_u32(high, vdupq_n_u32(0x40)));
    vst1_u16(reinterpret_cast<std::uint16_t*>(to), vmovn_u32(wide));
  }
  void store(Float16* to) const {
    vst1_u16(reinterpret_cast<std::uint16_t*>(to), vreinterpret_u16_f16(vcvt_f16_f32(lanes)));
  }
  void stream(float* to) const { store(to); }
};

inline Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.lanes, b.lanes)}; }
inline Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.lanes, b.lanes)}; }
inline Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.lanes, b.lanes)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.lanes, a.lanes, b.lanes)}; }
inline Mask less(Vec a, Vec b) { return {vcltq_f32(a.lanes, b.lanes)}; }
inline Mask equal(Vec a, Vec b) { return {vceqq_f32(a.lanes, b.lanes)}; }
inline bool all(Mask mask) { return vminvq_u32(mask.bits) != 0; }
inline Vec select(Mask mask, Vec yes, Vec no) {
  return {vbslq_f32(mask.bits, yes.lanes, no.lanes)};
}
/// The second operand where either is NaN, as on x86.
inline Vec max(Vec a, Vec b) { return select(less(b, a), a, b); }
inline Vec min(Vec a, Vec b) { return select(less(a, b), a, b); }

/// e^t for t in [-87, 88]; NaN stays NaN. At most 8e-8 relative (simd_test.cpp), so that sums in float32 lanes are what errs.
/// Two-step reduction to |r| <= ln 2 / 2, a polynomial of degree 6 (minimax, 3e-9), the exponent added as bits.
inline Vec exp_limited(Vec t) {
  const float32x4_t k = vrndnq_f32(vmulq_n_f32(t.lanes, 1.4426950408889634F));
  float32x4_t r = vfmsq_n_f32(t.lanes, k, 0.693145751953125F);
  r = vfmsq_n_f32(r, k, 1.428606765330187e-06F);
  float32x4_t s = vfmaq_n_f32(vdupq_n_f32(0.008368780836462975F), r, 0.0013814467238262296F);
  s = vfmaq_f32(vdupq_n_f32(0.04166839271783829F), s, r);
  s = vfmaq_f32(vdupq_n_f32(0.1666651964187622F), s, r);
  s = vfmaq_f32(vdupq_n_f32(0.4999999403953552F), s, r);
  s = vfmaq_f32(vdupq_n_f32(1.0F), s, r);
  s = vfmaq_f32(vdupq_n_f32(1.0F), s, r);
  const int32x4_t exponent = vshlq_n_s32(vcvtq_s32_f32(k), 23);
  return {vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(s), exponent))};
}

inline double sum(Vec a) {
  const float64x2_t two =
      vaddq_f64(vcvt_f64_f32(vget_low_f32(a.lanes)), vcvt_high_f64_f32(a.lanes));
  return vaddvq_f64(two);
}
inline float largest(Vec a) { return vmaxnmvq_f32(a.lanes); }
inline float smallest(Vec a) { return vminnmvq_f32(a.lanes); }
inline void finish_streaming() {}
