// Lane type of eight lanes: AVX2, FMA, F16C. Included inside an ISA's namespace and target region.

struct Mask {
  __m256 bits;
};

/// Rounded to nearest even in integer arithmetic, in the upper half of each element; NaN stays NaN.
inline __m256i rounded_bfloat16_bits(__m256 lanes) {
  const __m256i bits = _mm256_castps_si256(lanes);
  const __m256i last = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(last, _mm256_set1_epi32(0x7FFF)));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(lanes, lanes, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(rounded, _mm256_or_si256(bits, _mm256_set1_epi32(0x400000)), nan);
}

struct Vec {
  static constexpr std::size_t kWidth = 8;
  static constexpr bool kExpSaturates = false;
  static constexpr bool kEvenOdd = true;
  __m256 lanes;

  static Vec set(float value) { return {_mm256_set1_ps(value)}; }
  static Vec load(const float* from) { return {_mm256_loadu_ps(from)}; }
  static Vec load(const BFloat16* from) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))};
  }
  static Vec load(const Float16* from) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)))};
  }
  void store(float* to) const { _mm256_storeu_ps(to, lanes); }
  /// To an address that is a multiple of the vector's bytes, past the caches.
  void stream(float* to) const { _mm256_stream_ps(to, lanes); }
  void store(BFloat16* to) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), rounded_to_bfloat16());
  }
  void store(Float16* to) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm256_cvtps_ph(lanes, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }

 private:
  __m128i rounded_to_bfloat16() const {
    const __m256i wide = _mm256_srli_epi32(rounded_bfloat16_bits(lanes), 16);
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(wide, wide), 0xD8));
  }
};

/// Two vectors of bfloat16, as their even and their odd elements: no element has to cross the register.
inline void load_even_odd(const BFloat16* from, Vec& even, Vec& odd) {
  const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i high = _mm256_set1_epi32(static_cast<int>(0xFFFF0000U));
  even = {_mm256_castsi256_ps(_mm256_slli_epi32(both, 16))};
  odd = {_mm256_castsi256_ps(_mm256_and_si256(both, high))};
}
inline __m256i rounded_even_odd(Vec even, Vec odd) {
  // The low halves from `even`, the high ones from `odd`.
  return _mm256_blend_epi16(_mm256_srli_epi32(rounded_bfloat16_bits(even.lanes), 16),
                            rounded_bfloat16_bits(odd.lanes), 0xAA);
}
inline void store_even_odd(Vec even, Vec odd, BFloat16* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded_even_odd(even, odd));
}

inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.lanes, b.lanes)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.lanes, b.lanes)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.lanes, b.lanes)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.lanes, b.lanes, c.lanes)}; }
inline Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.lanes, b.lanes)}; }
inline Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.lanes, b.lanes)}; }
inline Mask less(Vec a, Vec b) { return {_mm256_cmp_ps(a.lanes, b.lanes, _CMP_LT_OQ)}; }
inline Mask equal(Vec a, Vec b) { return {_mm256_cmp_ps(a.lanes, b.lanes, _CMP_EQ_OQ)}; }
inline bool all(Mask mask) { return _mm256_movemask_ps(mask.bits) == 0xFF; }
inline Vec select(Mask mask, Vec yes, Vec no) {
  return {_mm256_blendv_ps(no.lanes, yes.lanes, mask.bits)};
}

/// e^t for t in [-87, 88]; NaN stays NaN. At most 2e-7 relative on [-20, 4], 4e-7 on the rest, where the one-step reduction shows (simd_test.cpp).
///
/// k = round(8 t / ln 2) splits t: the low three bits of k pick 2^(j/8) from a register, the rest is the
/// exponent, added to the table's bits; a cubic does what remains, |r| <= ln 2 / 16.
inline Vec exp_limited(Vec t) {
  const __m256 magic =
      _mm256_set1_ps(12582912.0F);  // 1.5 * 2^23: rounds to an integer in the low bits
  const __m256 shifted = _mm256_fmadd_ps(t.lanes, _mm256_set1_ps(11.541560327111707F), magic);
  const __m256 k = _mm256_sub_ps(shifted, magic);
  const __m256 r = _mm256_fmadd_ps(k, _mm256_set1_ps(-0.08664339756999316F), t.lanes);
  const __m256 table = _mm256_setr_ps(1.0F, 1.0905077326652577F, 1.189207115002721F,
                                      1.2968395546510096F, 1.4142135623730951F, 1.5422108254079407F,
                                      1.681792830507429F, 1.8340080864093424F);
  const __m256i bits = _mm256_castps_si256(shifted);
  const __m256i exponent = _mm256_and_si256(_mm256_slli_epi32(bits, 20),
                                            _mm256_set1_epi32(static_cast<int>(0xFF800000U)));
  const __m256 scale = _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(_mm256_permutevar8x32_ps(table, bits)), exponent));
  __m256 s = _mm256_fmadd_ps(_mm256_set1_ps(0.16666667F), r, _mm256_set1_ps(0.50006478F));
  s = _mm256_fmadd_ps(s, r, _mm256_set1_ps(1.0F));
  s = _mm256_mul_ps(s, r);
  return {_mm256_fmadd_ps(scale, s, scale)};
}

inline double sum(Vec a) {
  const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(a.lanes));
  const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(a.lanes, 1));
  const __m256d four = _mm256_add_pd(low, high);
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
inline float largest(Vec a) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(a.lanes), _mm256_extractf128_ps(a.lanes, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}
inline float smallest(Vec a) {
  __m128 four = _mm_min_ps(_mm256_castps256_ps128(a.lanes), _mm256_extractf128_ps(a.lanes, 1));
  four = _mm_min_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_min_ss(four, _mm_shuffle_ps(four, four, 1)));
}
/// Orders what was streamed before all that follows.
inline void finish_streaming() { _mm_sfence(); }
