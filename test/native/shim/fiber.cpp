// The switch itself (System V x86-64 by hand, ucontext elsewhere), the stacks, and what ASan must be told of them.
#include "shim/fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifndef PAPO_SHIM_USES_UCONTEXT
extern "C" void papo_shim_switch(void** save, void* load);
// Only what a call preserves is kept; rounding and exception bits are the same for all fibers.
asm(R"(
.text
.p2align 4
.globl papo_shim_switch
.hidden papo_shim_switch
.type papo_shim_switch, @function
papo_shim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size papo_shim_switch, .-papo_shim_switch
)");
#endif

namespace papo::shim {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStackBytes = 64 * 1024;
constexpr std::size_t kStacksPerMapping = 256;

/// Address space for stacks, a forbidden page below each; kept for the life of the process.
/// Only touched pages cost memory, usually one or two per stack.
char* new_stack() {
  static std::mutex mutex;
  static char* next = nullptr;
  static std::size_t left = 0;
  const std::lock_guard<std::mutex> lock(mutex);
  if (left == 0) {
    void* mapping = mmap(nullptr, kStacksPerMapping * kStackBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
      std::fputs("papo shim: no address space for more stacks\n", stderr);
      std::abort();
    }
    next = static_cast<char*>(mapping);
    left = kStacksPerMapping;
  }
  char* stack = next;
  next += kStackBytes;
  --left;
  mprotect(stack, kPage, PROT_NONE);
  return stack;
}

#if defined(__SANITIZE_ADDRESS__)
/// Whose stack `entered` comes from: only then can ASan tell how large the host's is.
Fiber* left_for_entry = nullptr;
#endif

}  // namespace

void begin(Fiber& fiber, void (*entry)()) {
  if (fiber.bottom == nullptr) {
    fiber.bottom = new_stack() + kPage;
    fiber.bytes = kStackBytes - kPage;
  }
  char* bottom = const_cast<char*>(static_cast<const char*>(fiber.bottom));
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(bottom, fiber.bytes);
  fiber.fake_stack = nullptr;
#endif
#ifdef PAPO_SHIM_USES_UCONTEXT
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = bottom;
  fiber.context.uc_stack.ss_size = fiber.bytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, entry, 0);
#else
  // Stacks lie a power of two apart; without a shift their tops would all fight for the same cache lines.
  const std::uintptr_t shift = (reinterpret_cast<std::uintptr_t>(bottom) / kStackBytes % 32) * 64;
  auto top = reinterpret_cast<std::uintptr_t>(bottom) + fiber.bytes - shift;
  void** frame = reinterpret_cast<void**>(top - 128);
  // Six registers, then the address that `ret` takes; where the entry's own return address would be, nothing.
  for (int i = 0; i < 6; ++i) frame[i] = nullptr;
  frame[6] = reinterpret_cast<void*>(entry);
  frame[7] = nullptr;
  fiber.stack_pointer = frame;
#endif
}

void entered() {
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (left_for_entry->bottom == nullptr) {
    left_for_entry->bottom = bottom;
    left_for_entry->bytes = bytes;
  }
#endif
}

void switch_fibers(Fiber& from, Fiber& to) {
#if defined(__SANITIZE_ADDRESS__)
  left_for_entry = &from;
  __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.bytes);
#endif
#ifdef PAPO_SHIM_USES_UCONTEXT
  swapcontext(&from.context, &to.context);
#else
  papo_shim_switch(&from.stack_pointer, to.stack_pointer);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

}  // namespace papo::shim
