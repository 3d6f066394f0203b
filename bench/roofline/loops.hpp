// The loops whose speed is a machine's limit, one table per instruction set.
#pragma once

#include <cstddef>

namespace papo::roofline {

/// Four arrays of `size` floats each, as a loss has them: two it reads, two it writes. `size` is a multiple of 64.
struct Arrays {
  const float* first;
  const float* second;
  float* first_out;
  float* second_out;
  std::size_t size;
};

struct Loops {
  /// Reads both inputs, one after the other, and gives their sum, so that nothing can be left out.
  double (*read)(const Arrays&);
  /// The same with both inputs in one loop: two streams, as the loss has them.
  double (*read_both)(const Arrays&);
  /// Writes both outputs with non-temporal stores.
  void (*write)(const Arrays&);
  /// Copies each input to its output with non-temporal stores, one after the other.
  void (*streaming_copy)(const Arrays&);
  /// Reads both inputs and writes both outputs in one loop, with non-temporal stores: the traffic of the fused loss.
  void (*two_by_two)(const Arrays&);
  /// Multiplies both outputs by -1 where they lie, in one loop: the traffic of gradients over the logits.
  void (*update)(const Arrays&);
  /// The engine's exponential of `count` numbers, from registers to registers; `count` is a multiple of 64.
  void (*exponentials)(std::size_t count);
};

extern const Loops kScalarLoops;
#if defined(__x86_64__)
extern const Loops kAvx2Loops;
extern const Loops kAvx512Loops;
#endif
#if defined(__aarch64__)
extern const Loops kNeonLoops;
#endif

}  // namespace papo::roofline
