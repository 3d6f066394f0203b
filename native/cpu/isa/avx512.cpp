// The avx512 unit, compiled for its own target region.
#if defined(__x86_64__)
// gcc 12's own AVX-512 header uses undefined registers on purpose, and warns of them when inlined (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "cpu/kernels/prelude.hpp"

PAPO_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
namespace papo::cpu {
namespace avx512 {
#include "cpu/simd/vec_avx512.hpp"
#include "cpu/kernels/all.inl.hpp"
}  // namespace avx512
}  // namespace papo::cpu
PAPO_TARGET_END

namespace papo::cpu {
const IsaTable kAvx512Table = avx512::kTable;
}  // namespace papo::cpu
#endif
