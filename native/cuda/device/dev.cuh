// Everything a kernel does that C++ has no word for, under one name each; all inline PTX of the project is here.
//
// Kernels include this header and <cuda_runtime.h> and nothing else of CUDA, so that the shim of the tests, which has
// a twin of every function here, can run their sources on a CPU. Shuffles and `warp_any` want a whole, converged warp.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

/// What marks a device function, and a loop that is unrolled whole or not at all.
#ifdef PAPO_CPU_SHIM
#define PAPO_DEV inline
#define PAPO_UNROLL
#define PAPO_ROLLED
#else
#define PAPO_DEV __device__ __forceinline__
#define PAPO_UNROLL _Pragma("unroll")
#define PAPO_ROLLED _Pragma("unroll 1")
#endif

namespace papo::dev {

/// Whether this target has clusters, bulk copies and transaction barriers: compute capability 9.0 and up.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
inline constexpr bool kHasClusters = false;
#else
inline constexpr bool kHasClusters = true;
#endif

}  // namespace papo::dev

#ifdef PAPO_CPU_SHIM
#include "shim/dev.hpp"
#else

namespace papo::dev {

// ---- Places ---------------------------------------------------------------------------------------------------

PAPO_DEV unsigned thread_index() { return threadIdx.x; }
PAPO_DEV unsigned block_index() { return blockIdx.x; }
PAPO_DEV unsigned block_size() { return blockDim.x; }
PAPO_DEV unsigned grid_size() { return gridDim.x; }

/// The launch's dynamic shared memory, 16-byte aligned.
PAPO_DEV char* shared_memory() {
  extern __shared__ uint4 papo_shared_memory[];
  return reinterpret_cast<char*>(papo_shared_memory);
}

PAPO_DEV unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

/// The same number, of which the compiler no longer knows what it computed from it before: what follows is computed
/// again instead of being kept in registers.
template <typename T>
PAPO_DEV T forgotten(T value) {
  static_assert(sizeof value == 4, "a number of one register");
  asm volatile("" : "+r"(value));
  return value;
}

// ---- Warps and blocks -----------------------------------------------------------------------------------------

PAPO_DEV void sync_block() { __syncthreads(); }
PAPO_DEV bool sync_or(bool value) { return __syncthreads_or(value ? 1 : 0) != 0; }

PAPO_DEV void sync_warp() { __syncwarp(); }

PAPO_DEV float shuffle_xor(float value, unsigned lane_mask) {
  return __shfl_xor_sync(~0U, value, static_cast<int>(lane_mask));
}
PAPO_DEV double shuffle_xor(double value, unsigned lane_mask) {
  return __shfl_xor_sync(~0U, value, static_cast<int>(lane_mask));
}
PAPO_DEV unsigned shuffle_xor(unsigned value, unsigned lane_mask) {
  return __shfl_xor_sync(~0U, value, static_cast<int>(lane_mask));
}
PAPO_DEV float shuffle(float value, unsigned lane) {
  return __shfl_sync(~0U, value, static_cast<int>(lane));
}
PAPO_DEV double shuffle(double value, unsigned lane) {
  return __shfl_sync(~0U, value, static_cast<int>(lane));
}
PAPO_DEV unsigned shuffle(unsigned value, unsigned lane) {
  return __shfl_sync(~0U, value, static_cast<int>(lane));
}
PAPO_DEV bool warp_any(bool value) { return __any_sync(~0U, value ? 1 : 0) != 0; }

// ---- Numbers --------------------------------------------------------------------------------------------------

/// 2^x within 2^-22 relative, exact at 0, 0 below 2^-126. One instruction: plain exp2f adds three for subnormals.
PAPO_DEV float exp2_approx(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

PAPO_DEV float bits_to_float(unsigned bits) { return __uint_as_float(bits); }
PAPO_DEV unsigned float_to_bits(float value) { return __float_as_uint(value); }

/// The float16 in the lower and in the upper half of a word.
PAPO_DEV float lower_f16(unsigned word) {
  float result;
  asm("{ .reg .b16 lower, upper; mov.b32 {lower, upper}, %1; cvt.f32.f16 %0, lower; }"
      : "=f"(result)
      : "r"(word));
  return result;
}
PAPO_DEV float upper_f16(unsigned word) {
  float result;
  asm("{ .reg .b16 lower, upper; mov.b32 {lower, upper}, %1; cvt.f32.f16 %0, upper; }"
      : "=f"(result)
      : "r"(word));
  return result;
}

/// Two numbers rounded to nearest, ties to even; overflow gives infinity.
PAPO_DEV unsigned pack_f16(float lower, float upper) {
  unsigned result;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(upper), "f"(lower));
#else
  asm("{ .reg .b16 lower, upper; cvt.rn.f16.f32 lower, %1; cvt.rn.f16.f32 upper, %2; "
      "mov.b32 %0, {lower, upper}; }"
      : "=r"(result)
      : "f"(lower), "f"(upper));
#endif
  return result;
}
PAPO_DEV unsigned pack_bf16(float lower, float upper) {
#if __CUDA_ARCH__ >= 800
  unsigned result;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(upper), "f"(lower));
  return result;
#else
  const auto rounded = [](float value) {
    const unsigned bits = __float_as_uint(value);
    return (bits & 0x7FFFFFFFU) > 0x7F800000U ? (bits | 0x400000U) >> 16
                                              : (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  };
  return rounded(lower) | (rounded(upper) << 16);
#endif
}

// ---- Clusters -------------------------------------------------------------------------------------------------

PAPO_DEV unsigned cluster_rank() {
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
PAPO_DEV unsigned cluster_size() {
  unsigned size;
  asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
  return size;
}

/// Says that this thread's barriers are made. Relaxed: a releasing arrive is a fence of the whole GPU's memory.
PAPO_DEV void cluster_arrive_relaxed() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
/// Returns once every thread of the cluster has arrived: all its blocks run and have made their barriers.
PAPO_DEV void cluster_wait() { asm volatile("barrier.cluster.wait.aligned;" ::: "memory"); }

// ---- Transaction barriers, in the block's own shared memory ---------------------------------------------------

PAPO_DEV void barrier_init(std::uint64_t* barrier, unsigned count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count)
               : "memory");
}
/// Makes the barriers this thread made known to the cluster and to the copy engine.
PAPO_DEV void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
/// Arrives, and announces `bytes` that the phase has to wait for.
PAPO_DEV void barrier_expect(std::uint64_t* barrier, unsigned bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}
/// Returns once the phase of that parity is complete: its bytes have come.
PAPO_DEV void barrier_wait(std::uint64_t* barrier, unsigned parity) {
  unsigned complete = 0;
  while (complete == 0) {
    asm volatile(
        "{ .reg .pred complete; "
        "mbarrier.try_wait.parity.shared::cta.b64 complete, [%1], %2; "
        "selp.u32 %0, 1, 0, complete; }"
        : "=r"(complete)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  }
}
/// The same where the bytes came from other blocks of the cluster.
PAPO_DEV void barrier_wait_for_peers(std::uint64_t* barrier, unsigned parity) {
  unsigned complete = 0;
  while (complete == 0) {
    asm volatile(
        "{ .reg .pred complete; "
        "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 complete, [%1], %2; "
        "selp.u32 %0, 1, 0, complete; }"
        : "=r"(complete)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  }
}

/// Copies `bytes` (a multiple of 16, from and to multiples of 16) and counts them on `barrier` when they are there.
/// What was read leaves the L2 first: nobody reads it again.
PAPO_DEV void bulk_load(void* shared, const void* global, unsigned bytes, std::uint64_t* barrier) {
  asm volatile(
      "{ .reg .b64 policy; createpolicy.fractional.L2::evict_first.b64 policy, 1.0; "
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1], %2, [%3], policy; }" ::"r"(shared_address(shared)),
      "l"(__cvta_generic_to_global(global)), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}

/// Stores 16 bytes at the place of `own_slot` in block `rank`'s shared memory and counts them on its `own_barrier`.
PAPO_DEV void send(void* own_slot, uint4 value, std::uint64_t* own_barrier, unsigned rank) {
  asm volatile(
      "{ .reg .b32 slot, barrier; "
      "mapa.shared::cluster.u32 slot, %0, %6; mapa.shared::cluster.u32 barrier, %1, %6; "
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [slot], {%2, %3, %4, %5}, "
      "[barrier]; }" ::"r"(shared_address(own_slot)),
      "r"(shared_address(own_barrier)), "r"(value.x), "r"(value.y), "r"(value.z), "r"(value.w),
      "r"(rank)
      : "memory");
}

// ---- Vectors in the block's shared memory ---------------------------------------------------------------------

/// Where they begin, as an address of shared memory that stays in a register: from a pointer the compiler works it out
/// again in every turn of a loop, beginning with the block's place in its cluster.
struct SharedVectors {
  unsigned address;
};
PAPO_DEV SharedVectors shared_vectors(const void* first) {
  return {forgotten(shared_address(first))};
}
PAPO_DEV uint4 load_shared(SharedVectors from, int index) {
  uint4 value;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "r"(from.address + static_cast<unsigned>(index) * 16));
  return value;
}

// ---- Global memory --------------------------------------------------------------------------------------------

/// 16 bytes from a multiple of 16. Not through the read-only path: in place, this kernel writes them later.
PAPO_DEV uint4 load_vector(const void* address) {
  uint4 value;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "l"(__cvta_generic_to_global(address)));
  return value;
}
/// The same for what nobody reads again: it leaves the L2 first.
PAPO_DEV uint4 load_vector_last(const void* address) {
  uint4 value;
  asm volatile("ld.global.cs.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "l"(__cvta_generic_to_global(address)));
  return value;
}
/// 16 bytes to a multiple of 16 that nobody reads soon.
PAPO_DEV void store_vector_streaming(void* address, uint4 value) {
  asm volatile(
      "st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(address)),
      "r"(value.x), "r"(value.y), "r"(value.z), "r"(value.w)
      : "memory");
}
/// 16 bytes to a multiple of 16 that other blocks read next.
PAPO_DEV void store_vector(void* address, uint4 value) { *static_cast<uint4*>(address) = value; }

/// One element of 2 or 4 bytes.
template <typename T>
PAPO_DEV T load_element(const T* address) {
  return *address;
}
template <typename T>
PAPO_DEV void store_element(T* address, T value) {
  *address = value;
}

/// Brings the line that holds `address` into the L2.
PAPO_DEV void prefetch(const void* address) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(address)));
}

// ---- Flags in global memory, between blocks that run together -------------------------------------------------

PAPO_DEV int load_acquire(const int* flag) {
  int value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];"
               : "=r"(value)
               : "l"(__cvta_generic_to_global(flag))
               : "memory");
  return value;
}
PAPO_DEV void store_release(int* flag, int value) {
  asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(__cvta_generic_to_global(flag)),
               "r"(value)
               : "memory");
}
PAPO_DEV void wait_at_least(const int* flag, int value) {
  while (load_acquire(flag) < value) {
  }
}

PAPO_DEV void atomic_min(unsigned long long* address, unsigned long long value) {
  ::atomicMin(address, value);
}

}  // namespace papo::dev

#endif
