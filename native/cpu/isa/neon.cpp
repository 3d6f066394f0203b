// The NEON unit: every 64-bit Arm processor.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "cpu/kernels/prelude.hpp"

namespace papo::cpu {
namespace neon {
#include "cpu/simd/vec_neon.hpp"
#include "cpu/kernels/all.inl.hpp"
}  // namespace neon

const IsaTable kNeonTable = neon::kTable;

}  // namespace papo::cpu
#endif
