// The null backend, compiled in place of this room where CUDA is not built in.
#include "cuda/backend.hpp"

#ifndef PAPO_CUDA_UNAVAILABLE
#define PAPO_CUDA_UNAVAILABLE "built without CUDA"
#endif

namespace papo::cuda {

void register_cuda_kernels(Registry&) {}
std::vector<DeviceDescription> devices() { return {}; }
std::string unavailable_reason() { return PAPO_CUDA_UNAVAILABLE; }

}  // namespace papo::cuda
