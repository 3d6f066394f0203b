// The avx512_bf16 unit, compiled for its own target region.
#if defined(__x86_64__)
#define PAPO_HAS_AVX512_BF16
// gcc 12's own AVX-512 header uses undefined registers on purpose, and warns of them when inlined (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "cpu/kernels/prelude.hpp"

PAPO_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")
namespace papo::cpu {
namespace avx512_bf16 {
#include "cpu/simd/vec_avx512.hpp"
#include "cpu/kernels/all.inl.hpp"
}  // namespace avx512_bf16
}  // namespace papo::cpu
PAPO_TARGET_END

namespace papo::cpu {
const IsaTable kAvx512Bf16Table = avx512_bf16::kTable;
}  // namespace papo::cpu
#endif
