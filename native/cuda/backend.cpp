#include "cuda/backend.hpp"

#include "cuda/ops.hpp"

namespace papo::cuda {

// Whether there is a device is asked when the first tensor is put on one: starting a driver takes its time.
void register_cuda_kernels(Registry& registry) {
  registry.add_kernel("token_stats", DeviceKind::cuda, token_stats);
  registry.add_kernel("token_stats_partial", DeviceKind::cuda, token_stats_partial);
  registry.add_kernel("token_stats_grad", DeviceKind::cuda, token_stats_grad);
  registry.add_kernel("papo_loss", DeviceKind::cuda, papo_loss);
}

}  // namespace papo::cuda
