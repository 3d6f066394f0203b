// From arguments to a launch: which of an op's two kernels, and how many blocks of it. Included by the .cu files.
#pragma once

#include <limits>

#include "cuda/device/layout.hpp"
#include "cuda/device/resident.cuh"
#include "cuda/device/streaming.cuh"
#include "cuda/kernels.hpp"
#include "cuda/plan.hpp"

namespace papo::cuda {

template <typename Args>
struct ResidentLaunch {
  Args args;
  ResidentShape shape;
};

template <typename Args>
struct StreamingLaunch {
  Args args;
  StreamingShape shape;
};

/// The two kernels of an op for one type of logits.
template <typename Args>
struct RowKernels {
  void (*resident)(ResidentLaunch<Args>);
  void (*streaming)(StreamingLaunch<Args>);
};

inline constexpr std::int64_t kMostBlocks = std::numeric_limits<int>::max();

/// Whether the rows of every pair begin at the same distance from a multiple of 16 bytes.
inline bool begin_alike(const RowPairs& pairs) {
  if (pairs.masked_logits == nullptr) return true;
  const auto size = static_cast<std::int64_t>(size_of(pairs.dtype));
  const auto bases = reinterpret_cast<std::intptr_t>(pairs.logits) -
                     reinterpret_cast<std::intptr_t>(pairs.masked_logits);
  const std::int64_t pitches = (pairs.row_pitch - pairs.masked_row_pitch) * size;
  return bases % 16 == 0 && (pitches % 16 == 0 || pairs.rows == 1);
}

inline RowShape shape_of(const RowPairs& pairs, bool again) {
  return {pairs.rows,         pairs.vocab, size_of(pairs.dtype), pairs.masked_logits != nullptr,
          begin_alike(pairs), again};
}

/// Vocabularies and rows are counted in 32 bits on the device.
inline bool within_reach(const RowPairs& pairs) {
  return pairs.vocab <= std::numeric_limits<int>::max() - 64 && pairs.rows <= kMostBlocks;
}

inline cudaLaunchConfig_t configuration(std::int64_t blocks, std::size_t shared_bytes,
                                        cudaStream_t stream) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return config;
}

/// Tries one way to keep the rows on chip; `launched` says whether the machine had room for it.
template <typename Args>
cudaError_t try_resident(const Machine& machine, const RowKernels<Args>& kernels, const Args& args,
                         const ResidentPlan& plan, cudaStream_t stream, bool& launched) {
  const std::int64_t blocks = args.pairs.rows * plan.parts;
  if (blocks > kMostBlocks) return cudaSuccess;
  const auto* kernel = reinterpret_cast<const void*>(kernels.resident);
  // The most there is and not what this call takes: another thread may launch the same kernel at another size.
  cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(machine.shared_per_block));
  if (error == cudaSuccess && !plan.portable()) {
    error = cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
  }
  cudaLaunchAttribute cluster = {};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = static_cast<unsigned>(plan.parts);
  cluster.val.clusterDim.y = 1;
  cluster.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = configuration(blocks, plan.shared_bytes, stream);
  config.attrs = &cluster;
  config.numAttrs = 1;
  int clusters = 0;
  if (error == cudaSuccess) {
    error = cudaOccupancyMaxActiveClusters(&clusters, kernel, &config);
  }
  if (error != cudaSuccess || clusters == 0) {
    // Not on this machine: another plan will do. The question must not stay behind as an error.
    static_cast<void>(cudaGetLastError());
    return cudaSuccess;
  }
  launched = true;
  return cudaLaunchKernelEx(&config, kernels.resident,
                            ResidentLaunch<Args>{args, {plan.parts, plan.slice_bytes}});
}

template <typename Args>
cudaError_t launch_streaming(const Machine& machine, const RowKernels<Args>& kernels,
                             const Args& args, const RowShape& shape, int parts, Scratch scratch,
                             cudaStream_t stream) {
  const auto* kernel = reinterpret_cast<const void*>(kernels.streaming);
  const auto shared_bytes = static_cast<std::size_t>(BlockLayout::of(1).bytes);
  int blocks = 0;
  cudaError_t error =
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, kThreads, shared_bytes);
  if (error != cudaSuccess) return error;
  blocks = blocks < kBlocksPerMultiprocessor ? blocks : kBlocksPerMultiprocessor;
  const StreamingPlan plan = streaming_plan(machine, shape, blocks, parts);
  const std::size_t wanted = TeamScratch::bytes(plan.teams, plan.parts);
  if (plan.parts > 1 && scratch.bytes < wanted) return cudaErrorInvalidValue;

  cudaLaunchConfig_t config =
      configuration(static_cast<std::int64_t>(plan.teams) * plan.parts, shared_bytes, stream);
  cudaLaunchAttribute cooperative = {};
  if (plan.parts > 1) {
    // The flags count from 0; teams of one exchange nothing.
    error =
        cudaMemsetAsync(scratch.data, 0, TeamScratch::flag_bytes(plan.teams, plan.parts), stream);
    if (error != cudaSuccess) return error;
    cooperative.id = cudaLaunchAttributeCooperative;
    cooperative.val.cooperative = 1;
    config.attrs = &cooperative;
    config.numAttrs = 1;
  }
  return cudaLaunchKernelEx(&config, kernels.streaming,
                            StreamingLaunch<Args>{args, {plan.parts, plan.teams, scratch.data}});
}

/// Enqueues the best of what the machine can do, or what is chosen. `again`: some walk reads the rows a second time.
template <typename Args>
cudaError_t launch_rows(const Machine& machine, const RowKernels<Args>& kernels, const Args& args,
                        bool again, Scratch scratch, cudaStream_t stream, const Choice& choice) {
  if (args.pairs.rows == 0) return cudaSuccess;
  if (!within_reach(args.pairs)) return cudaErrorInvalidValue;
  const RowShape shape = shape_of(args.pairs, again);
  ResidentPlan plans[kMostResidentPlans];
  int count = 0;
  if (choice.walk == Walk::planned) count = resident_plans(machine, shape, plans);
  if (choice.walk == Walk::resident) plans[count++] = resident_plan(machine, shape, choice.parts);
  for (int i = 0; i < count; ++i) {
    bool launched = false;
    if (plans[i].blocks == 0) return cudaErrorInvalidConfiguration;
    const cudaError_t error = try_resident(machine, kernels, args, plans[i], stream, launched);
    if (launched || error != cudaSuccess) return error;
  }
  if (choice.walk == Walk::resident) return cudaErrorInvalidConfiguration;
  return launch_streaming(machine, kernels, args, shape, choice.parts, scratch, stream);
}

/// Calls `f(T{}, masked)` with the type of the logits and a constant for whether there are two policies.
template <typename F>
cudaError_t for_logits(const RowPairs& pairs, F&& f) {
  return dispatch_logits(pairs.dtype, [&](auto tag) {
    return pairs.masked_logits == nullptr ? f(tag, std::false_type{}) : f(tag, std::true_type{});
  });
}

}  // namespace papo::cuda
