// What a launcher takes and gives. Only this room includes it.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "cuda/device/arguments.hpp"
#include "cuda/machine.hpp"

namespace papo::cuda {

/// Device memory a launch may use; null asks only how much it wants.
struct Scratch {
  void* data = nullptr;
  std::size_t bytes = 0;
};

/// How the rows are walked. The launchers know best; tests and measurements may want it otherwise.
enum class Walk { planned, resident, streaming };
struct Choice {
  Walk walk = Walk::planned;
  int parts =
      0;  ///< blocks of a row: 1, 2, 4, 8 or 16 where it is resident, 0 for what is planned where it streams
};

/// Bytes of scratch that a launch of these arguments wants (often 0), on that machine.
std::size_t scratch_bytes(const Machine& machine, const TokenStatsArgs& args);
std::size_t scratch_bytes(const Machine& machine, const PapoLossArgs& args);

/// Each enqueues its kernel and returns what the launch said; the machine is the current device.
cudaError_t launch_token_stats(const Machine& machine, const TokenStatsArgs& args, Scratch scratch,
                               cudaStream_t stream, const Choice& choice = {});
cudaError_t launch_papo_loss(const Machine& machine, const PapoLossArgs& args, Scratch scratch,
                             cudaStream_t stream, const Choice& choice = {});
cudaError_t launch_token_stats_grad(const Machine& machine, const TokenStatsGradArgs& args,
                                    cudaStream_t stream);

}  // namespace papo::cuda
