// Which instruction sets this processor has, and which one is used.
#pragma once

#include <string>
#include <vector>

#include "core/status.hpp"

namespace papo::cpu {

enum class Isa { scalar, avx2, avx512, avx512_bf16, neon };

const char* name_of(Isa isa);

/// What both this binary and this processor have, best first; `scalar` is always the last.
const std::vector<Isa>& available_isas();

/// The best one, or the one that `PAPO_CPU_ISA` names. An unknown or absent one is an error, never a silent choice.
Status choose_isa(Isa& chosen);

}  // namespace papo::cpu
