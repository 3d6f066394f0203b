// The loops in avx512.
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "cpu/kernels/prelude.hpp"
#include "loops.hpp"

PAPO_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
namespace papo::bench {
using namespace papo::cpu;
namespace avx512 {
#include "cpu/simd/vec_avx512.hpp"
#include "cpu/kernels/all.inl.hpp"
#include "loops.inl.hpp"
}  // namespace avx512
}  // namespace papo::bench
PAPO_TARGET_END

namespace papo::bench {
const Loops kAvx512Loops = avx512::kLoops;
}  // namespace papo::bench
