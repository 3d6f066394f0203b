// The loops in AVX-512; avx512_bf16 has the same ones.
#if defined(__x86_64__)
// gcc 12's own AVX-512 header uses undefined registers on purpose, and warns of them when inlined (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "roofline/isa/prelude.hpp"

#define PAPO_LANES "v"
PAPO_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
namespace papo::roofline {
namespace avx512 {
#include "cpu/simd/vec_avx512.hpp"
inline void stream(float* to, Vec value) { _mm512_stream_ps(to, value.lanes); }
inline void fence() { _mm_sfence(); }
#include "roofline/loops.inl.hpp"
}  // namespace avx512
}  // namespace papo::roofline
PAPO_TARGET_END

namespace papo::roofline {
const Loops kAvx512Loops = avx512::kLoops;
}  // namespace papo::roofline
#endif
