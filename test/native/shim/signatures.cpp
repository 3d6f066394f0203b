// What the shim claims of CUDA, as assertions: compiled against the shim's headers, and against CUDA's where they are.
#include <cuda_runtime.h>

#include <cstddef>
#include <type_traits>

#include "shim/cuda_errors.h"

#define PAPO_SHIM_SAME_VALUE(name, value, sentence) static_assert((name) == (value), #name);
PAPO_SHIM_CUDA_ERRORS(PAPO_SHIM_SAME_VALUE)
#undef PAPO_SHIM_SAME_VALUE

namespace {

template <auto kFunction, typename Signature>
constexpr bool is = std::is_same_v<decltype(kFunction), Signature*>;

using Out = void**;
using Stream = cudaStream_t;
using Event = cudaEvent_t;

static_assert(is<&cudaDriverGetVersion, cudaError_t(int*)>);
static_assert(is<&cudaRuntimeGetVersion, cudaError_t(int*)>);
static_assert(is<&cudaGetDeviceCount, cudaError_t(int*)>);
static_assert(is<&cudaGetDevice, cudaError_t(int*)>);
static_assert(is<&cudaSetDevice, cudaError_t(int)>);
static_assert(is<&cudaGetDeviceProperties, cudaError_t(cudaDeviceProp*, int)>);
static_assert(is<&cudaDeviceGetAttribute, cudaError_t(int*, cudaDeviceAttr, int)>);
static_assert(is<&cudaDeviceSynchronize, cudaError_t()>);
static_assert(is<&cudaDeviceReset, cudaError_t()>);
static_assert(is<&cudaDeviceCanAccessPeer, cudaError_t(int*, int, int)>);
static_assert(is<&cudaDeviceEnablePeerAccess, cudaError_t(int, unsigned)>);
static_assert(is<&cudaGetLastError, cudaError_t()>);
static_assert(is<&cudaPeekAtLastError, cudaError_t()>);
static_assert(is<&cudaGetErrorName, const char*(cudaError_t)>);
static_assert(is<&cudaGetErrorString, const char*(cudaError_t)>);

static_assert(is<static_cast<cudaError_t (*)(Out, size_t)>(&cudaMalloc), cudaError_t(Out, size_t)>);
static_assert(is<static_cast<cudaError_t (*)(Out, size_t, unsigned)>(&cudaHostAlloc),
                 cudaError_t(Out, size_t, unsigned)>);
static_assert(is<&cudaFree, cudaError_t(void*)>);
static_assert(is<&cudaFreeHost, cudaError_t(void*)>);
static_assert(is<&cudaMemGetInfo, cudaError_t(size_t*, size_t*)>);
static_assert(is<&cudaPointerGetAttributes, cudaError_t(cudaPointerAttributes*, const void*)>);
static_assert(is<&cudaMemcpy, cudaError_t(void*, const void*, size_t, cudaMemcpyKind)>);
static_assert(
    is<&cudaMemcpyAsync, cudaError_t(void*, const void*, size_t, cudaMemcpyKind, Stream)>);
static_assert(is<&cudaMemcpy2D,
                 cudaError_t(void*, size_t, const void*, size_t, size_t, size_t, cudaMemcpyKind)>);
static_assert(is<&cudaMemcpy2DAsync, cudaError_t(void*, size_t, const void*, size_t, size_t, size_t,
                                                 cudaMemcpyKind, Stream)>);
static_assert(is<&cudaMemcpyPeerAsync, cudaError_t(void*, int, const void*, int, size_t, Stream)>);
static_assert(is<&cudaMemset, cudaError_t(void*, int, size_t)>);
static_assert(is<&cudaMemsetAsync, cudaError_t(void*, int, size_t, Stream)>);
static_assert(is<&cudaMemset2DAsync, cudaError_t(void*, size_t, int, size_t, size_t, Stream)>);

static_assert(is<&cudaStreamCreateWithFlags, cudaError_t(Stream*, unsigned)>);
static_assert(is<&cudaStreamDestroy, cudaError_t(Stream)>);
static_assert(is<&cudaStreamSynchronize, cudaError_t(Stream)>);
static_assert(is<&cudaStreamQuery, cudaError_t(Stream)>);
static_assert(is<&cudaStreamWaitEvent, cudaError_t(Stream, Event, unsigned)>);
static_assert(is<&cudaStreamGetDevice, cudaError_t(Stream, int*)>);
static_assert(is<&cudaEventCreateWithFlags, cudaError_t(Event*, unsigned)>);
static_assert(is<&cudaEventDestroy, cudaError_t(Event)>);
static_assert(
    is<static_cast<cudaError_t (*)(Event, Stream)>(&cudaEventRecord), cudaError_t(Event, Stream)>);
static_assert(is<&cudaEventSynchronize, cudaError_t(Event)>);
static_assert(is<&cudaEventQuery, cudaError_t(Event)>);
static_assert(is<&cudaEventElapsedTime, cudaError_t(float*, Event, Event)>);

static_assert(
    is<&cudaLaunchKernelExC, cudaError_t(const cudaLaunchConfig_t*, const void*, void**)>);
static_assert(
    is<static_cast<cudaError_t (*)(const void*, cudaFuncAttribute, int)>(&cudaFuncSetAttribute),
       cudaError_t(const void*, cudaFuncAttribute, int)>);
static_assert(
    is<static_cast<cudaError_t (*)(cudaFuncAttributes*, const void*)>(&cudaFuncGetAttributes),
       cudaError_t(cudaFuncAttributes*, const void*)>);
static_assert(is<static_cast<cudaError_t (*)(int*, const void*, int, size_t)>(
                     &cudaOccupancyMaxActiveBlocksPerMultiprocessor),
                 cudaError_t(int*, const void*, int, size_t)>);
static_assert(is<static_cast<cudaError_t (*)(int*, const void*, const cudaLaunchConfig_t*)>(
                     &cudaOccupancyMaxActiveClusters),
                 cudaError_t(int*, const void*, const cudaLaunchConfig_t*)>);
static_assert(is<&cudaGetDriverEntryPointByVersion,
                 cudaError_t(const char*, Out, unsigned, unsigned long long,
                             cudaDriverEntryPointQueryResult*)>);

static_assert(cudaMemcpyDefault == 4 && cudaMemcpyDeviceToHost == 2);
static_assert(cudaMemoryTypeHost == 1 && cudaMemoryTypeDevice == 2);
static_assert(cudaHostAllocPortable == 1 && cudaStreamNonBlocking == 1);
static_assert(cudaEventBlockingSync == 1 && cudaEventDisableTiming == 2);
static_assert(cudaEnableDefault == 0);
static_assert(cudaLaunchAttributeCooperative == 2 && cudaLaunchAttributeClusterDimension == 4);
static_assert(cudaFuncAttributeMaxDynamicSharedMemorySize == 8);
static_assert(cudaFuncAttributeNonPortableClusterSizeAllowed == 14);
static_assert(cudaDevAttrL2CacheSize == 38 && cudaDevAttrClusterLaunch == 120);
static_assert(cudaDevAttrMaxSharedMemoryPerMultiprocessor == 81);
static_assert(cudaDevAttrMaxSharedMemoryPerBlockOptin == 97);
static_assert(cudaDevAttrReservedSharedMemoryPerBlock == 111);
static_assert(cudaDevAttrCooperativeLaunch == 95 && cudaDevAttrMultiProcessorCount == 16);

static_assert(sizeof(uint4) == 16 && alignof(uint4) == 16);
static_assert(sizeof(cudaLaunchAttribute) == 72 && offsetof(cudaLaunchAttribute, val) == 8);
static_assert(std::is_same_v<decltype(cudaDeviceProp::totalGlobalMem), size_t>);
static_assert(std::is_same_v<decltype(cudaDeviceProp::l2CacheSize), int>);
static_assert(std::is_same_v<decltype(cudaDeviceProp::sharedMemPerBlockOptin), size_t>);
static_assert(std::is_same_v<decltype(cudaPointerAttributes::type), cudaMemoryType>);
static_assert(std::is_same_v<decltype(cudaLaunchConfig_t::dynamicSmemBytes), size_t>);

}  // namespace
