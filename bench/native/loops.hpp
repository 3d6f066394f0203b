// What the benchmark runs besides the kernels' own entry points: one table of loops per instruction set.
#pragma once

#include <cstddef>

#include "cpu/detect.hpp"

namespace papo::bench {

struct Loops {
  // One row pair of `count` floats; what a machine can move.
  float (*read)(const float* p, const float* q, std::size_t count);
  void (*copy_streaming)(const float* p, const float* q, float* to_p, float* to_q,
                         std::size_t count);
  void (*update)(float* p, float* q, std::size_t count);
  // `repeats` times over `count` floats or pairs that stay in the first cache.
  float (*exponentials)(const float* p, std::size_t count, std::size_t repeats);
  double (*statistics)(const float* p, const float* q, std::size_t count, std::size_t repeats);
  void (*gradient)(const float* p, const float* q, float* grad_p, float* grad_q, std::size_t count,
                   std::size_t repeats);
};

extern const Loops kAvx2Loops;
extern const Loops kAvx512Loops;

}  // namespace papo::bench
