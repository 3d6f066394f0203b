// Lane type of sixteen lanes: AVX-512 F, BW, DQ, VL; with PAPO_HAS_AVX512_BF16, that processor's bfloat16 rounding.
// Included inside an ISA's namespace and target region.

struct Mask {
  __mmask16 bits;
};

#ifndef PAPO_HAS_AVX512_BF16
/// Rounded to nearest even in integer arithmetic, in the upper half of each element; NaN stays NaN.
inline __m512i rounded_bfloat16_bits(__m512 lanes) {
  const __m512i bits = _mm512_castps_si512(lanes);
  const __m512i last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7FFF)));
  const __mmask16 nan = _mm512_cmp_ps_mask(lanes, lanes, _CMP_UNORD_Q);
  return _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
}
#endif

struct Vec {
  static constexpr std::size_t kWidth = 16;
  /// Whether exp_limited saturates outside [-87, 88]: to 0 below, to Infinity above.
  static constexpr bool kExpSaturates = true;
  static constexpr bool kEvenOdd = true;
  __m512 lanes;

  static Vec set(float value) { return {_mm512_set1_ps(value)}; }
  static Vec load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Vec load(const BFloat16* from) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
  }
  static Vec load(const Float16* from) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))};
  }
  void store(float* to) const { _mm512_storeu_ps(to, lanes); }
  /// To an address that is a multiple of the vector's bytes, past the caches.
  void stream(float* to) const { _mm512_stream_ps(to, lanes); }
  void store(BFloat16* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded_to_bfloat16());
  }
  void store(Float16* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_cvtps_ph(lanes, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }

 private:
#ifdef PAPO_HAS_AVX512_BF16
  /// The instruction flushes subnormal results (below 1.2e-38) to zero; otherwise as the others.
  __m256i rounded_to_bfloat16() const {
    return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(lanes));
  }
#else
  __m256i rounded_to_bfloat16() const {
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded_bfloat16_bits(lanes), 16));
  }
#endif
};

/// Two vectors of bfloat16, as their even and their odd elements: no element has to cross the register.
inline void load_even_odd(const BFloat16* from, Vec& even, Vec& odd) {
  const __m512i both = _mm512_loadu_si512(from);
  const __m512i high = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  even = {_mm512_castsi512_ps(_mm512_slli_epi32(both, 16))};
  odd = {_mm512_castsi512_ps(_mm512_and_si512(both, high))};
}
inline __m512i rounded_even_odd(Vec even, Vec odd) {
#ifdef PAPO_HAS_AVX512_BF16
  const __m512i apart = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd.lanes, even.lanes));
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, apart);
#else
  // The low halves from `even`, the high ones from `odd`.
  return _mm512_mask_blend_epi16(0xAAAAAAAA,
                                 _mm512_srli_epi32(rounded_bfloat16_bits(even.lanes), 16),
                                 rounded_bfloat16_bits(odd.lanes));
#endif
}
inline void store_even_odd(Vec even, Vec odd, BFloat16* to) {
  _mm512_storeu_si512(to, rounded_even_odd(even, odd));
}

inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.lanes, b.lanes)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.lanes, b.lanes)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.lanes, b.lanes)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.lanes, b.lanes, c.lanes)}; }
inline Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.lanes, b.lanes)}; }
inline Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.lanes, b.lanes)}; }
inline Mask less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_LT_OQ)}; }
inline Mask equal(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_EQ_OQ)}; }
inline bool all(Mask mask) { return mask.bits == 0xFFFF; }
inline Vec select(Mask mask, Vec yes, Vec no) {
  return {_mm512_mask_blend_ps(mask.bits, no.lanes, yes.lanes)};
}

/// e^t for t <= 88, vanishing below -87 as the format does; NaN for NaN and the infinities. At most 2e-7 relative
/// on [-20, 4], 4e-7 on [-87, 4], 4.5e-7 above, where the one-step reduction shows (simd_test.cpp).
///
/// t / ln 2 is rounded to k, a multiple of 1/32: adding `magic` leaves exactly its five bits below the point in
/// the mantissa. They pick 2^(j/32) from two registers, a quadratic does what remains, |r| <= ln 2 / 64, and vscalef
/// applies the whole part. The quadratic's middle coefficient is 1 + (ln 2 / 64)^2 / 8 or so: what the missing cubic
/// leaves is 5e-8. The powers but 1 are 2e-8 small, which centres the error where most t are, below 0.
inline Vec exp_limited(Vec t) {
  const __m512 magic = _mm512_set1_ps(393216.0F);  // 1.5 * 2^18
  const __m512 low =
      _mm512_setr_ps(1.0F, 1.021897128F, 1.044273762F, 1.067140379F, 1.090507711F, 1.11438672F,
                     1.138788612F, 1.163724836F, 1.189207091F, 1.215247336F, 1.241857787F,
                     1.269050932F, 1.296839529F, 1.325236617F, 1.35425552F, 1.383909854F);
  const __m512 high = _mm512_setr_ps(1.414213534F, 1.445180778F, 1.476826116F, 1.509164397F,
                                     1.542210795F, 1.575980814F, 1.6104903F, 1.645755445F,
                                     1.681792797F, 1.718619264F, 1.756252125F, 1.794709039F,
                                     1.83400805F, 1.874167597F, 1.915206523F, 1.957144085F);
  const __m512 shifted = _mm512_fmadd_ps(t.lanes, _mm512_set1_ps(1.4426950408889634F), magic);
  const __m512 k = _mm512_sub_ps(shifted, magic);
  const __m512 r = _mm512_fnmadd_ps(k, _mm512_set1_ps(0.6931471805599453F), t.lanes);
  const __m512 power = _mm512_permutex2var_ps(low, _mm512_castps_si512(shifted), high);
  const __m512 slope = _mm512_fmadd_ps(_mm512_set1_ps(0.5F), r, _mm512_set1_ps(1.0000137F));
  const __m512 result = _mm512_fmadd_ps(slope, _mm512_mul_ps(power, r), power);
  return {_mm512_scalef_ps(result, k)};
}

inline double sum(Vec a) {
  const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(a.lanes));
  const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.lanes, 1));
  return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}
inline float largest(Vec a) { return _mm512_reduce_max_ps(a.lanes); }
inline float smallest(Vec a) { return _mm512_reduce_min_ps(a.lanes); }
/// Orders what was streamed before all that follows.
inline void finish_streaming() { _mm_sfence(); }
