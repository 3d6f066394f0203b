// The loops one number at a time, with the C library's exponential; the compiler may use its baseline's vectors.
#include "roofline/isa/prelude.hpp"

#if defined(__x86_64__)
#define PAPO_LANES "x"
#elif defined(__aarch64__)
#define PAPO_LANES "w"
#else
#define PAPO_LANES "g"
#endif
namespace papo::roofline {
namespace scalar {
#include "cpu/simd/vec_scalar.hpp"
inline void stream(float* to, Vec value) { value.store(to); }
inline void fence() {}
#include "roofline/loops.inl.hpp"
}  // namespace scalar

const Loops kScalarLoops = scalar::kLoops;

}  // namespace papo::roofline
