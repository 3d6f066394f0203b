// The calls that -fsanitize=thread puts before every access, answered by our own watch instead of ThreadSanitizer's.
#include "shim/grid.hpp"

#ifdef PAPO_SHIM_RACES

namespace {

/// Accesses of the host, and of a thread to its own stack, are no concern of ours.
inline void note(const volatile void* address, std::size_t bytes, bool writes, const void* code) {
  using namespace papo::shim;
  const Thread* thread = current;
  if (thread == nullptr) return;
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  if (at - reinterpret_cast<std::uintptr_t>(thread->fiber->bottom) < thread->fiber->bytes) return;
  running_group->races.access(*thread, at, bytes, writes, code);
}

}  // namespace

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_read(void**) {}
void __tsan_vptr_update(void**, void*) {}

#define PAPO_SHIM_HOOKS(bytes)                                \
  void __tsan_read##bytes(void* address) {                    \
    note(address, bytes, false, __builtin_return_address(0)); \
  }                                                           \
  void __tsan_write##bytes(void* address) {                   \
    note(address, bytes, true, __builtin_return_address(0));  \
  }                                                           \
  void __tsan_unaligned_read##bytes(void* address) {          \
    note(address, bytes, false, __builtin_return_address(0)); \
  }                                                           \
  void __tsan_unaligned_write##bytes(void* address) {         \
    note(address, bytes, true, __builtin_return_address(0));  \
  }
PAPO_SHIM_HOOKS(1)
PAPO_SHIM_HOOKS(2)
PAPO_SHIM_HOOKS(4)
PAPO_SHIM_HOOKS(8)
PAPO_SHIM_HOOKS(16)
#undef PAPO_SHIM_HOOKS

// The host's code in a kernel's file (shared pointers, say) uses atomics; they are what they are, at their strongest.
#define PAPO_SHIM_ATOMICS(bits, type)                                                              \
  type __tsan_atomic##bits##_load(const volatile type* at, int) {                                  \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                                \
  void __tsan_atomic##bits##_store(volatile type* at, type value, int) {                           \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                \
  type __tsan_atomic##bits##_exchange(volatile type* at, type value, int) {                        \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_add(volatile type* at, type value, int) {                       \
    return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_sub(volatile type* at, type value, int) {                       \
    return __atomic_fetch_sub(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* at, type* expected, type value, \
                                                    int, int) {                                    \
    return __atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_SEQ_CST,               \
                                       __ATOMIC_SEQ_CST);                                          \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* at, type* expected, type value,   \
                                                  int, int) {                                      \
    return __tsan_atomic##bits##_compare_exchange_strong(at, expected, value, 0, 0);               \
  }
PAPO_SHIM_ATOMICS(8, std::uint8_t)
PAPO_SHIM_ATOMICS(32, std::uint32_t)
PAPO_SHIM_ATOMICS(64, std::uint64_t)
#undef PAPO_SHIM_ATOMICS

void __tsan_read_range(void* address, std::size_t bytes) {
  note(address, bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void* address, std::size_t bytes) {
  note(address, bytes, true, __builtin_return_address(0));
}

}  // extern "C"

#endif
