// The embedded default backend.
#pragma once

#include "core/status.hpp"
#include "cpu/detect.hpp"
#include "cpu/isa_table.hpp"
#include "ops/registry.hpp"

namespace papo::cpu {

/// Chooses the instruction set (see `choose_isa`) and adds the CPU's kernels.
Status register_cpu_kernels(Registry& registry);

/// The instruction set in use, once `register_cpu_kernels` has succeeded.
Isa active_isa();

const IsaTable& table_of(Isa isa);

}  // namespace papo::cpu
