// Fibers: stacks that one operating-system thread switches between by hand, one per simulated CUDA thread.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) || defined(PAPO_SHIM_UCONTEXT)
#include <ucontext.h>
#define PAPO_SHIM_USES_UCONTEXT
#endif

namespace papo::shim {

/// One stack and the point at which it was left. Default-made, it stands for the stack that is running now.
struct Fiber {
#ifdef PAPO_SHIM_USES_UCONTEXT
  ucontext_t context;
#else
  void* stack_pointer = nullptr;
#endif
  // What AddressSanitizer wants to know of a stack.
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  void* fake_stack = nullptr;
};

/// Gives the fiber a stack if it has none, and makes it begin with `entry`, which must never return.
/// Whatever stood on the stack is forgotten, so a fiber that was left for good can be begun again.
void begin(Fiber& fiber, void (*entry)());

/// The first thing `entry` does.
void entered();

/// Leaves `from` (the stack running now) and continues `to`; comes back when somebody switches to `from`.
void switch_fibers(Fiber& from, Fiber& to);

}  // namespace papo::shim
