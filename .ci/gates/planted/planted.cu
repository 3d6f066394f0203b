// Two small kernels that obey every gate, and one violation of each gate behind a macro. `.ci/cuda-gates --self-test`
// compiles the file once per macro; nothing else includes or builds it.
#include <cuda_runtime.h>

#include <cstdint>

#ifdef PLANT_BOUNDS
#define WALK_BOUNDS __launch_bounds__(1024, 4)
#else
#define WALK_BOUNDS __launch_bounds__(256, 3)
#endif

struct Arguments {
  const float* logits;
  float* grad;
  double* sums;
  unsigned long long* row_error;
  int count;
};

__device__ __forceinline__ float exponential(float x) {
  float e;
#ifdef PLANT_DENORMAL_EX2
  asm("ex2.approx.f32 %0, %1;" : "=f"(e) : "f"(x));
#else
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(x));
#endif
  return e;
}

#ifdef PLANT_CALL
__device__ __noinline__ float exponential_by_call(float x) { return exponential(x) + x * x; }
#define exponential exponential_by_call
#endif

/// A walk: four logits at a time in, four exponentials out.
extern "C" __global__ void WALK_BOUNDS planted_walk(const __grid_constant__ Arguments a) {
  extern __shared__ float4 shared[];
  const int stride = static_cast<int>(blockDim.x) * 4;
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x) * 4; i + 3 < a.count; i += stride) {
#ifdef PLANT_SCALAR_LOADS
    const volatile float* x = a.logits + i;
    float4 v = {x[0], x[1], x[2], x[3]};
#else
    float4 v = *reinterpret_cast<const float4*>(a.logits + i);
#endif
    v.x = exponential(v.x);
    v.y = exponential(v.y);
    v.z = exponential(v.z);
    v.w = exponential(v.w);
#ifdef PLANT_TOO_MANY_EX2
    for (int again = 0; again < 8; ++again) v.x += exponential(v.x + static_cast<float>(again));
#endif
#ifdef PLANT_SLOW_LOOP
    a.sums[i] = static_cast<double>(v.x) + static_cast<double>(v.y) * static_cast<double>(v.z);
#endif
    sum += v.x + v.y + v.z + v.w;
    *reinterpret_cast<float4*>(a.grad + i) = v;
  }
  reinterpret_cast<float*>(shared)[threadIdx.x] = sum;
#ifdef PLANT_STATIC_SHARED
  __shared__ float kept[32];
  kept[threadIdx.x % 32] = sum;
  __syncthreads();
  a.grad[1] = kept[(threadIdx.x + 1) % 32];
#endif
#ifdef PLANT_LOCAL_ARRAY
  float table[64];
  for (int i = 0; i < 64; ++i) table[i] = a.logits[i * a.count];
  for (int i = 0; i < a.count; ++i) table[(i * a.count) % 64] += sum;
  a.grad[2] = table[a.count % 64];
#endif
#ifdef PLANT_FENCE
  __threadfence();
#endif
#ifdef PLANT_FLOAT_ATOMIC
  atomicAdd(a.grad, sum);
#endif
#ifdef PLANT_DOUBLE_ATOMIC
  if (a.count > 5) atomicAdd(a.sums, static_cast<double>(sum));
#endif
#ifdef PLANT_OTHER_ATOMIC
  atomicAdd(reinterpret_cast<unsigned*>(a.grad), 1U);
#endif
#ifdef PLANT_FAST_LOG
  a.grad[3] = __logf(sum);
#endif
#if defined(PLANT_REGISTERS) || defined(PLANT_SPILLS)
  // Many values that all live until the end: over the table's number, or over what the bounds leave.
#ifdef PLANT_SPILLS
  constexpr int kMany = 160;
#else
  constexpr int kMany = 40;
#endif
  float many[kMany];
#pragma unroll
  for (int i = 0; i < kMany; ++i) many[i] = a.logits[i * a.count + static_cast<int>(threadIdx.x)];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kMany; ++i)
    a.grad[i * a.count + static_cast<int>(threadIdx.x)] = many[kMany - 1 - i] * sum;
#endif
  if (sum != sum) atomicMin(a.row_error, 1ULL);
}

#ifdef PLANT_UNKNOWN_KERNEL
extern "C" __global__ void nobody_designed_this(float* x) { *x = 1; }
#endif

/// A row on chip: one bulk copy in, one exchange with the neighbour.
extern "C" __global__ void __launch_bounds__(256, 3)
    planted_resident(const __grid_constant__ Arguments a) {
#if defined(PLANT_WORK_BELOW)
  a.grad[threadIdx.x] = 1;
#endif
#if __CUDA_ARCH__ >= 900
  extern __shared__ float4 shared[];
  auto* barrier = reinterpret_cast<std::uint64_t*>(shared);
  const auto barrier_at = static_cast<std::uint32_t>(__cvta_generic_to_shared(barrier));
  const auto data_at = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared + 1));
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barrier_at) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], 2064;" ::"r"(barrier_at)
                 : "memory");
#ifndef PLANT_NO_BULK_COPY
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], 2048, "
        "[%2];" ::"r"(data_at),
        "l"(a.logits), "r"(barrier_at)
        : "memory");
#endif
  }
#ifdef PLANT_CLUSTER_RELEASE
  asm volatile("barrier.cluster.arrive.aligned;" ::: "memory");
#else
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
#endif
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#ifndef PLANT_NO_EXCHANGE
  if (threadIdx.x == 0) {
    std::uint32_t peer_data, peer_barrier;
    asm("mapa.shared::cluster.u32 %0, %1, 1;" : "=r"(peer_data) : "r"(data_at));
    asm("mapa.shared::cluster.u32 %0, %1, 1;" : "=r"(peer_barrier) : "r"(barrier_at));
    asm volatile(
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%2, %2, %2, %2}, "
        "[%1];" ::"r"(peer_data),
        "r"(peer_barrier), "r"(7)
        : "memory");
  }
#endif
  asm volatile(
      "{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], 0;\n"
      "@!done bra again;\n}" ::"r"(barrier_at)
      : "memory");
  a.grad[threadIdx.x] = reinterpret_cast<float*>(shared + 1)[threadIdx.x];
#endif
}
