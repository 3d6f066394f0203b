// The loops in avx2.
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "cpu/kernels/prelude.hpp"
#include "loops.hpp"

PAPO_TARGET_BEGIN("avx2,fma,f16c")
namespace papo::bench {
using namespace papo::cpu;
namespace avx2 {
#include "cpu/simd/vec_avx2.hpp"
#include "cpu/kernels/all.inl.hpp"
#include "loops.inl.hpp"
}  // namespace avx2
}  // namespace papo::bench
PAPO_TARGET_END

namespace papo::bench {
const Loops kAvx2Loops = avx2::kLoops;
}  // namespace papo::bench
