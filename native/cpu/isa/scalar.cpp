// The scalar unit: every processor.
#include "cpu/kernels/prelude.hpp"

namespace papo::cpu {
namespace scalar {
#include "cpu/simd/vec_scalar.hpp"
#include "cpu/kernels/all.inl.hpp"
}  // namespace scalar

const IsaTable kScalarTable = scalar::kTable;

}  // namespace papo::cpu
