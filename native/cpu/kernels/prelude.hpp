// Everything the kernels use, included before an ISA's target region opens (see simd/target.hpp).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

#include "core/half.hpp"
#include "cpu/isa_table.hpp"
#include "cpu/simd/target.hpp"
#include "math/row_gradient.hpp"
#include "math/token_lines.hpp"
#include "math/token_objective.hpp"
#include "ops/row_checks.hpp"
#include "ops/vocab_shard.hpp"
