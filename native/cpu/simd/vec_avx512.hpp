// Lane type of sixteen lanes: AVX-512 F, BW, DQ, VL; with PAPO_HAS_AVX512_BF16, that processor's bfloat16 rounding.
// Included inside an ISA's namespace and target region.

struct Mask {
  __mmask16 bits;
};

struct Vec {
  static constexpr std::size_t kWidth = 16;
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
#ifdef PAPO_HAS_AVX512_BF16
  /// The instruction flushes subnormal results (below 1.2e-38) to zero; otherwise as the others.
  void store(BFloat16* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(lanes)));
  }
#else
  void store(BFloat16* to) const {
    const __m512i bits = _mm512_castps_si512(lanes);
    const __m512i high = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(lanes, lanes, _CMP_UNORD_Q);
    const __m512i wide = _mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(wide));
  }
#endif
  void store(Float16* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_cvtps_ph(lanes, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
};

inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.lanes, b.lanes)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.lanes, b.lanes)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.lanes, b.lanes)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.lanes, b.lanes, c.lanes)}; }
inline Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.lanes, b.lanes)}; }
inline Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.lanes, b.lanes)}; }
inline Mask less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_LT_OQ)}; }
inline Mask equal(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_EQ_OQ)}; }
inline Vec select(Mask mask, Vec yes, Vec no) {
  return {_mm512_mask_blend_ps(mask.bits, no.lanes, yes.lanes)};
}

/// e^t for t in [-87, 88]; NaN stays NaN. At most 2e-7 relative on [-20, 4], 4e-7 on the rest, where the one-step reduction shows (simd_test.cpp).
///
/// k = round(16 t / ln 2) splits t: its low four bits pick 2^(j/16) from a register, the rest is the exponent
/// that vscalef applies; a cubic does what remains, |r| <= ln 2 / 32.
inline Vec exp_limited(Vec t) {
  const __m512 magic =
      _mm512_set1_ps(12582912.0F);  // 1.5 * 2^23: rounds to an integer in the low bits
  const __m512 shifted = _mm512_fmadd_ps(t.lanes, _mm512_set1_ps(23.083120654223414F), magic);
  const __m512 k = _mm512_sub_ps(shifted, magic);
  const __m512 r = _mm512_fmadd_ps(k, _mm512_set1_ps(-0.04332169878499658F), t.lanes);
  const __m512 table = _mm512_setr_ps(
      1.0F, 1.0442737824274138F, 1.0905077326652577F, 1.1387886347566916F, 1.189207115002721F,
      1.241857812073484F, 1.2968395546510096F, 1.3542555469368927F, 1.4142135623730951F,
      1.4768261459394993F, 1.5422108254079407F, 1.6104903319492543F, 1.681792830507429F,
      1.7562521603732995F, 1.8340080864093424F, 1.9152065613971474F);
  const __m512 scale = _mm512_permutexvar_ps(_mm512_castps_si512(shifted), table);
  __m512 s = _mm512_fmadd_ps(_mm512_set1_ps(0.16666667F), r, _mm512_set1_ps(0.5F));
  s = _mm512_fmadd_ps(s, r, _mm512_set1_ps(1.0F));
  s = _mm512_mul_ps(s, r);
  return {_mm512_scalef_ps(_mm512_fmadd_ps(scale, s, scale),
                           _mm512_mul_ps(k, _mm512_set1_ps(0.0625F)))};
}

inline double sum(Vec a) {
  const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(a.lanes));
  const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.lanes, 1));
  return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}
inline float largest(Vec a) { return _mm512_reduce_max_ps(a.lanes); }
inline float smallest(Vec a) { return _mm512_reduce_min_ps(a.lanes); }
