// The loops in AVX2.
#if defined(__x86_64__)
#include <immintrin.h>

#include "roofline/isa/prelude.hpp"

#define PAPO_LANES "x"
PAPO_TARGET_BEGIN("avx2,fma,f16c")
namespace papo::roofline {
namespace avx2 {
#include "cpu/simd/vec_avx2.hpp"
inline void stream(float* to, Vec value) { _mm256_stream_ps(to, value.lanes); }
inline void fence() { _mm_sfence(); }
#include "roofline/loops.inl.hpp"
}  // namespace avx2
}  // namespace papo::roofline
PAPO_TARGET_END

namespace papo::roofline {
const Loops kAvx2Loops = avx2::kLoops;
}  // namespace papo::roofline
#endif
