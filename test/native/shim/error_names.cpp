// cudaGetErrorName and cudaGetErrorString.
#include <cuda_runtime.h>

extern "C" {

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define PAPO_SHIM_NAME(name, value, sentence) \
  case name:                                  \
    return #name;
    PAPO_SHIM_CUDA_ERRORS(PAPO_SHIM_NAME)
#undef PAPO_SHIM_NAME
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define PAPO_SHIM_SENTENCE(name, value, sentence) \
  case name:                                      \
    return sentence;
    PAPO_SHIM_CUDA_ERRORS(PAPO_SHIM_SENTENCE)
#undef PAPO_SHIM_SENTENCE
  }
  return "unrecognized error code";
}

}  // extern "C"
