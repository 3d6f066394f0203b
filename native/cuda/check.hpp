// cudaError_t -> Status: what was tried, on which device, and what CUDA said. Only this room includes it.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "core/status.hpp"

namespace papo::cuda {

/// "[where] expected cuda:0 to <deed>, received <the error's name and text>", and what to do where CUDA will never
/// work again in this process. The thread's error is cleared, so that the next call starts clean.
Status failure(const std::string& where, int device, const char* deed, cudaError_t error);

/// Ok if the call succeeded, else its `failure`.
inline Status check(const std::string& where, int device, const char* deed, cudaError_t error) {
  return error == cudaSuccess ? Status() : failure(where, device, deed, error);
}

/// After cudaErrorMemoryAllocation: what was asked for ("of memory") and what is free on the current device.
Status out_of_memory(const std::string& where, int device, std::size_t bytes,
                     const std::string& what);
/// The same for page-locked memory of the host, of which nobody says how much there is.
Status out_of_pinned_memory(const std::string& where, std::size_t bytes);

/// "1536 bytes (1.5 KiB)".
std::string show_bytes(std::size_t bytes);

/// Errors that destroy the device's context: every later call in this process returns them too.
bool is_sticky(cudaError_t error);

}  // namespace papo::cuda
