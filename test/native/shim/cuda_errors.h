// The errors of the CUDA runtime that the shim knows, as a list: name, value, sentence.
#pragma once

#define PAPO_SHIM_CUDA_ERRORS(ERROR)                                                      \
  ERROR(cudaSuccess, 0, "no error")                                                       \
  ERROR(cudaErrorInvalidValue, 1, "invalid argument")                                     \
  ERROR(cudaErrorMemoryAllocation, 2, "out of memory")                                    \
  ERROR(cudaErrorInitializationError, 3, "initialization error")                          \
  ERROR(cudaErrorCudartUnloading, 4, "driver shutting down")                              \
  ERROR(cudaErrorInvalidConfiguration, 9, "invalid configuration argument")               \
  ERROR(cudaErrorInvalidPitchValue, 12, "invalid pitch argument")                         \
  ERROR(cudaErrorInvalidDevicePointer, 17, "invalid device pointer")                      \
  ERROR(cudaErrorInvalidMemcpyDirection, 21, "invalid copy direction for memcpy")         \
  ERROR(cudaErrorInsufficientDriver, 35,                                                  \
        "CUDA driver version is insufficient for CUDA runtime version")                   \
  ERROR(cudaErrorInvalidDeviceFunction, 98, "invalid device function")                    \
  ERROR(cudaErrorNoDevice, 100, "no CUDA-capable device is detected")                     \
  ERROR(cudaErrorInvalidDevice, 101, "invalid device ordinal")                            \
  ERROR(cudaErrorDeviceUninitialized, 201, "invalid device context")                      \
  ERROR(cudaErrorNoKernelImageForDevice, 209,                                             \
        "no kernel image is available for execution on the device")                       \
  ERROR(cudaErrorECCUncorrectable, 214, "uncorrectable ECC error encountered")            \
  ERROR(cudaErrorPeerAccessUnsupported, 217,                                              \
        "peer access is not supported between these two devices")                         \
  ERROR(cudaErrorNvlinkUncorrectable, 220,                                                \
        "uncorrectable NVLink error detected during the execution")                       \
  ERROR(cudaErrorUnsupportedPtxVersion, 222,                                              \
        "the provided PTX was compiled with an unsupported toolchain.")                   \
  ERROR(cudaErrorContained, 226, "Invalid resource type")                                 \
  ERROR(cudaErrorInvalidResourceHandle, 400, "invalid resource handle")                   \
  ERROR(cudaErrorNotReady, 600, "device not ready")                                       \
  ERROR(cudaErrorIllegalAddress, 700, "an illegal memory access was encountered")         \
  ERROR(cudaErrorLaunchOutOfResources, 701, "too many resources requested for launch")    \
  ERROR(cudaErrorLaunchTimeout, 702, "the launch timed out and was terminated")           \
  ERROR(cudaErrorPeerAccessAlreadyEnabled, 704, "peer access is already enabled")         \
  ERROR(cudaErrorPeerAccessNotEnabled, 705, "peer access has not been enabled")           \
  ERROR(cudaErrorContextIsDestroyed, 709, "context is destroyed")                         \
  ERROR(cudaErrorAssert, 710, "device-side assert triggered")                             \
  ERROR(cudaErrorHardwareStackError, 714, "hardware stack error")                         \
  ERROR(cudaErrorIllegalInstruction, 715, "an illegal instruction was encountered")       \
  ERROR(cudaErrorMisalignedAddress, 716, "misaligned address")                            \
  ERROR(cudaErrorInvalidAddressSpace, 717,                                                \
        "operation not supported on global/shared address space")                         \
  ERROR(cudaErrorInvalidPc, 718, "invalid program counter")                               \
  ERROR(cudaErrorLaunchFailure, 719, "unspecified launch failure")                        \
  ERROR(cudaErrorCooperativeLaunchTooLarge, 720, "too many blocks in cooperative launch") \
  ERROR(cudaErrorNotSupported, 801, "operation not supported")                            \
  ERROR(cudaErrorSystemDriverMismatch, 803,                                               \
        "system has unsupported display driver / cuda driver combination")                \
  ERROR(cudaErrorCompatNotSupportedOnDevice, 804,                                         \
        "forward compatibility was attempted on non supported HW")                        \
  ERROR(cudaErrorStreamCaptureUnsupported, 900,                                           \
        "operation not permitted when stream is capturing")                               \
  ERROR(cudaErrorInvalidClusterSize, 912, "Invalid cluster size")                         \
  ERROR(cudaErrorUnknown, 999, "unknown error")
