#include "cuda/device_guard.hpp"

namespace papo::cuda {
namespace {

/// `cuDevicePrimaryCtxGetState` of the driver: the runtime has no such question.
using ContextState = int (*)(int device, unsigned* flags, int* active);

ContextState context_state() {
  static const ContextState function = [] {
    void* address = nullptr;
    cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
    constexpr unsigned kSince = 7000;
    const cudaError_t error = cudaGetDriverEntryPointByVersion(
        "cuDevicePrimaryCtxGetState", &address, kSince, cudaEnableDefault, &result);
    static_cast<void>(cudaGetLastError());
    const bool found = error == cudaSuccess && result == cudaDriverEntryPointSuccess;
    return found ? reinterpret_cast<ContextState>(address) : nullptr;
  }();
  return function;
}

}  // namespace

bool has_context(int device) {
  const ContextState state = context_state();
  if (state == nullptr) return true;
  unsigned flags = 0;
  int active = 0;
  return state(device, &flags, &active) != 0 || active != 0;
}

int device_in_use() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return 0;
  for (int device = 0; device < count; ++device) {
    if (has_context(device)) return device;
  }
  return 0;
}

DeviceGuard::DeviceGuard(int device) : device_(device) {
  error_ = cudaGetDevice(&before_);
  if (error_ == cudaSuccess && before_ != device) error_ = cudaSetDevice(device);
}

DeviceGuard::~DeviceGuard() {
  // A thread that never chose stands at device 0: going back there must not make a context nobody asked for.
  if (before_ >= 0 && before_ != device_ && has_context(before_)) {
    static_cast<void>(cudaSetDevice(before_));
  }
}

}  // namespace papo::cuda
