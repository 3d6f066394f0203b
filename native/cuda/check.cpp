#include "cuda/check.hpp"

#include <cstdio>

#include "core/device.hpp"

namespace papo::cuda {

bool is_sticky(cudaError_t error) {
  switch (error) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
      return true;
    default:
      return false;
  }
}

std::string show_bytes(std::size_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  const std::string exact = std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  if (bytes < 1024) return exact;
  double amount = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (amount >= 1024 && unit < 3) {
    amount /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, " (%.4g %s)", amount, kUnits[unit]);
  return exact + text;
}

Status failure(const std::string& where, int device, const char* deed, cudaError_t error) {
  static_cast<void>(cudaGetLastError());
  std::string received =
      std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ")";
  if (is_sticky(error)) received += "; CUDA works again only in a new process";
  return expected(error == cudaErrorMemoryAllocation ? Code::out_of_memory : Code::cuda, where,
                  name_of(Device{DeviceKind::cuda, device}) + " to " + deed, received);
}

Status out_of_memory(const std::string& where, int device, std::size_t bytes,
                     const std::string& what) {
  std::string received = "out of memory";
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  if (cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess) {
    received += ": free are " + show_bytes(free_bytes) + " of " + show_bytes(total_bytes);
  }
  static_cast<void>(cudaGetLastError());
  return expected(
      Code::out_of_memory, where,
      show_bytes(bytes) + " " + what + " on " + name_of(Device{DeviceKind::cuda, device}),
      received);
}

Status out_of_pinned_memory(const std::string& where, std::size_t bytes) {
  static_cast<void>(cudaGetLastError());
  return expected(Code::out_of_memory, where,
                  show_bytes(bytes) + " of page-locked memory on the host", "out of memory");
}

}  // namespace papo::cuda
