// Everything the loops use, included before an instruction set's target region opens.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "core/half.hpp"
#include "cpu/simd/target.hpp"
#include "roofline/loops.hpp"
