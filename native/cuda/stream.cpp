#include "cuda/stream.hpp"

#include "core/device.hpp"
#include "cuda/backend.hpp"
#include "cuda/check.hpp"
#include "cuda/device_guard.hpp"
#include "cuda/wait.hpp"

namespace papo::cuda {
namespace {

cudaStream_t handle_of(const Stream* stream) {
  return stream == nullptr ? nullptr : static_cast<cudaStream_t>(stream->handle());
}

cudaEvent_t handle_of(const Event& event) { return static_cast<cudaEvent_t>(event.handle()); }

/// Makes the device current, then calls: the runtime's calls take their device from the thread.
template <typename Call>
Status on_device(const std::string& where, int device, const char* deed, Call&& call) {
  const DeviceGuard guard(device);
  cudaError_t error = guard.error();
  if (error == cudaSuccess) error = call();
  return check(where, device, deed, error);
}

}  // namespace

Stream::~Stream() {
  if (foreign_ || handle_ == nullptr) return;
  // Work that is still in it goes on; CUDA lets go of the stream when it is done.
  const DeviceGuard guard(device_);
  static_cast<void>(cudaStreamDestroy(static_cast<cudaStream_t>(handle_)));
  static_cast<void>(cudaGetLastError());
}

Event::~Event() {
  if (handle_ == nullptr) return;
  const DeviceGuard guard(device_);
  static_cast<void>(cudaEventDestroy(static_cast<cudaEvent_t>(handle_)));
  static_cast<void>(cudaGetLastError());
}

Status create_stream(const std::string& where, int device, StreamPtr& stream) {
  Status status = check_device(where, device);
  if (!status.ok()) return status;
  cudaStream_t handle = nullptr;
  status = on_device(where, device, "make a stream",
                     [&] { return cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking); });
  if (status.ok()) stream = std::make_shared<Stream>(device, handle, false);
  return status;
}

Status wrap_stream(const std::string& where, int device, std::uintptr_t handle, StreamPtr& stream) {
  Status status = check_device(where, device);
  if (!status.ok()) return status;
  const auto foreign = reinterpret_cast<cudaStream_t>(handle);
  // Its name means another stream on every thread, and calls may run on any.
  if (foreign == cudaStreamPerThread) {
    return expected(Code::argument, where, "a stream that is the same one on every thread",
                    "cudaStreamPerThread");
  }
  int owner = device;
  // Every device has a default stream of these names.
  if (foreign != nullptr && foreign != cudaStreamLegacy) {
    status = on_device(where, device, "know the stream",
                       [&] { return cudaStreamGetDevice(foreign, &owner); });
  }
  if (!status.ok()) return status;
  if (owner != device) {
    return expected(Code::device_mismatch, where,
                    "a stream of " + name_of(Device{DeviceKind::cuda, device}),
                    "one of " + name_of(Device{DeviceKind::cuda, owner}));
  }
  stream = std::make_shared<Stream>(device, foreign, true);
  return {};
}

Status synchronize(const std::string& where, int device, const Stream* stream) {
  const int of = stream == nullptr ? device : stream->device();
  Status status = check_device(where, of);
  if (!status.ok()) return status;
  return on_device(where, of, "finish its work", [&] {
    return stream == nullptr ? cudaDeviceSynchronize() : wait_for(handle_of(stream));
  });
}

Status create_event(const std::string& where, int device, EventPtr& event) {
  Status status = check_device(where, device);
  if (!status.ok()) return status;
  cudaEvent_t handle = nullptr;
  status = on_device(where, device, "make an event",
                     [&] { return cudaEventCreateWithFlags(&handle, cudaEventBlockingSync); });
  if (status.ok()) event = std::make_shared<Event>(device, handle);
  return status;
}

Status record(const std::string& where, const Event& event, const Stream* stream) {
  if (stream != nullptr && stream->device() != event.device()) {
    return expected(
        Code::device_mismatch, where,
        "a stream of " + name_of(Device{DeviceKind::cuda, event.device()}) + " like the event",
        "one of " + name_of(Device{DeviceKind::cuda, stream->device()}));
  }
  return on_device(where, event.device(), "record an event",
                   [&] { return cudaEventRecord(handle_of(event), handle_of(stream)); });
}

Status wait(const std::string& where, const Stream* stream, const Event& event) {
  // A stream may wait for another device's event.
  const int device = stream == nullptr ? event.device() : stream->device();
  return on_device(where, device, "wait for an event",
                   [&] { return cudaStreamWaitEvent(handle_of(stream), handle_of(event), 0); });
}

Status synchronize(const std::string& where, const Event& event) {
  return on_device(where, event.device(), "reach an event",
                   [&] { return cudaEventSynchronize(handle_of(event)); });
}

Status query(const std::string& where, const Event& event, bool& done) {
  done = false;
  return on_device(where, event.device(), "tell of an event", [&] {
    const cudaError_t error = cudaEventQuery(handle_of(event));
    done = error == cudaSuccess;
    if (error != cudaErrorNotReady) return error;
    static_cast<void>(cudaGetLastError());
    return cudaSuccess;
  });
}

Status elapsed(const std::string& where, const Event& begin, const Event& end, double& ms) {
  const auto refused = [&](const char* received) {
    static_cast<void>(cudaGetLastError());
    return expected(Code::argument, where, "two events of one device, recorded and reached",
                    received);
  };
  if (begin.device() != end.device()) return refused("events of two devices");
  const DeviceGuard guard(begin.device());
  float time = 0;
  cudaError_t error = guard.error();
  if (error == cudaSuccess) error = cudaEventElapsedTime(&time, handle_of(begin), handle_of(end));
  if (error == cudaErrorInvalidResourceHandle) return refused("one that was never recorded");
  if (error == cudaErrorNotReady) return refused("one that is still to be reached");
  ms = static_cast<double>(time);
  return check(where, begin.device(), "time two events", error);
}

}  // namespace papo::cuda
