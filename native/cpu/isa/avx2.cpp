// The avx2 unit, compiled for its own target region.
#if defined(__x86_64__)
#include <immintrin.h>

#include "cpu/kernels/prelude.hpp"

PAPO_TARGET_BEGIN("avx2,fma,f16c")
namespace papo::cpu {
namespace avx2 {
#include "cpu/simd/vec_avx2.hpp"
#include "cpu/kernels/all.inl.hpp"
}  // namespace avx2
}  // namespace papo::cpu
PAPO_TARGET_END

namespace papo::cpu {
const IsaTable kAvx2Table = avx2::kTable;
}  // namespace papo::cpu
#endif
