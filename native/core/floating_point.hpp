// The floating-point environment of every op: round to nearest, subnormals flushed.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace papo {

/// Sets it for one scope and restores what the thread had, so that another addon's settings change no result
/// and the far tail of a distribution (all subnormal products) costs no more than the rest. Once around a call, whose
/// checks and host-side preparation of a device's kernel round too, and once per block: what a thread of the pool is
/// born with is the system's choice (Linux passes on what the caller had).
class KernelFloatingPoint {
 public:
#if defined(__x86_64__)
  KernelFloatingPoint() : saved_(_mm_getcsr()) {
    _mm_setcsr(kDefault | kFlushToZero | kDenormalsAreZero);
  }
  ~KernelFloatingPoint() { _mm_setcsr(saved_); }

 private:
  static constexpr unsigned kDefault = 0x1F80;
  static constexpr unsigned kFlushToZero = 0x8000;
  static constexpr unsigned kDenormalsAreZero = 0x0040;
  unsigned saved_;
#elif defined(__aarch64__)
  KernelFloatingPoint() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
    const std::uint64_t flush = std::uint64_t{1} << 24;
    __asm__ volatile("msr fpcr, %0" : : "r"(flush));
  }
  ~KernelFloatingPoint() { __asm__ volatile("msr fpcr, %0" : : "r"(saved_)); }

 private:
  std::uint64_t saved_;
#else
  KernelFloatingPoint() {}
#endif

 public:
  KernelFloatingPoint(const KernelFloatingPoint&) = delete;
  KernelFloatingPoint& operator=(const KernelFloatingPoint&) = delete;
};

}  // namespace papo
