// Opens and closes a region that is compiled for an instruction set, whatever the file's own flags are.
//
// An ISA unit includes all standard and project headers first, then opens its region and includes the lane
// type and the kernels: nothing but those may be compiled for the higher target, or the linker could pick
// an inline function that older processors cannot run.
#pragma once

#define PAPO_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define PAPO_TARGET_BEGIN(isa) \
  PAPO_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define PAPO_TARGET_END PAPO_PRAGMA(clang attribute pop)
#else
#define PAPO_TARGET_BEGIN(isa)  \
  PAPO_PRAGMA(GCC push_options) \
  PAPO_PRAGMA(GCC target(isa))
#define PAPO_TARGET_END PAPO_PRAGMA(GCC pop_options)
#endif
