// The loops in NEON; gcc has no non-temporal store there, so these are plain ones.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "roofline/isa/prelude.hpp"

#define PAPO_LANES "w"
namespace papo::roofline {
namespace neon {
#include "cpu/simd/vec_neon.hpp"
inline void stream(float* to, Vec value) { value.store(to); }
inline void fence() {}
#include "roofline/loops.inl.hpp"
}  // namespace neon

const Loops kNeonLoops = neon::kLoops;

}  // namespace papo::roofline
#endif
