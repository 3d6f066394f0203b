// One case of the correctness sweep: a shape, a dtype, how the rows lie in memory, and what stands in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.hpp"

namespace papo::gpu {

/// What the logits look like; `q` is the masked policy's row.
enum class Logits {
  trained,   ///< noise and one peak that holds about half of the mass; q is p with some more noise
  normal,    ///< two independent rows, sigma 4
  near,      ///< q = p + 0.001 noise: a KL far below what one-pass sums can say
  equal,     ///< q = p
  flat,      ///< one value everywhere
  peaked,    ///< one logit at 60 in p, none in q
  shifted,   ///< p around -300, q around 300
  climbing,  ///< p climbs by 0.02 per column, q falls
  holes,     ///< many columns -Infinity in both
  wide,      ///< two independent rows, sigma 30
  edges,     ///< the mass of p in the first column, that of q in the last
};
inline constexpr Logits kAllLogits[] = {
    Logits::trained, Logits::normal,   Logits::near,  Logits::equal, Logits::flat, Logits::peaked,
    Logits::shifted, Logits::climbing, Logits::holes, Logits::wide,  Logits::edges};
const char* name_of(Logits logits);
/// Whether the target of 1e-6 is held against the float64 truth there; elsewhere 4e-6, as on the CPU.
bool ordinary(Logits logits);

enum class Masked { logits, log_probs, none };
enum class Objective { exact, sampled };

/// Gaps are in elements: `padding` after each row, `skew` before the first.
struct Placement {
  std::size_t padding = 0;
  std::size_t masked_padding = 0;
  std::size_t skew = 0;
  std::size_t masked_skew = 0;
  std::size_t grad_padding = 0;
  std::size_t grad_skew = 0;
};

struct Case {
  std::size_t rows = 1;
  std::size_t vocab = 1;
  DType dtype = DType::bfloat16;
  Logits logits = Logits::trained;
  Masked masked = Masked::logits;
  Objective objective = Objective::exact;
  Placement placement;
  double temperature = 1;
  double mask_share = 0;  ///< of the rows that do not count; negative: no mask at all
  bool float32_gradients = false;
  bool grad_p = true;
  bool grad_q = true;
  unsigned seed = 1;

  std::string name() const;
  std::size_t tensor_bytes() const { return rows * vocab * size_of(dtype); }
};

/// How much is tried.
enum class Extent {
  tiny,   ///< seconds on the simulated device
  small,  ///< under compute-sanitizer
  quick,
  full,
};

/// Every case of the sweep, in order. `most_bytes` bounds one tensor, except for the case beyond 2^31 elements.
std::vector<Case> sweep_cases(Extent extent, std::size_t most_bytes, unsigned seed);

}  // namespace papo::gpu
