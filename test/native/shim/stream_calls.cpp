// Streams and events: queues whose work is done only when somebody waits for it, so that a missing wait shows.
#include <algorithm>

#include "shim/memory.hpp"
#include "shim/policy.hpp"
#include "shim/runtime.hpp"

namespace papo::shim {
namespace {

/// Every other seed lets streams that nobody waits for go first, as far as chance has it.
void run_ahead(Runtime& r, const Stream* waited_for) {
  if (r.settings.seed % 2 == 0) return;
  Random random(r.settings.seed + r.launches);
  // By index: what runs may make no stream, but a copy of the list would keep streams alive.
  for (std::size_t i = 0; i < r.all_streams.size(); ++i) {
    const StreamPtr stream = r.all_streams[i].lock();
    if (stream == nullptr || stream.get() == waited_for || stream->queue.empty()) continue;
    drain(r, stream, stream->done + random.below(static_cast<std::uint32_t>(stream->queue.size())));
  }
}

Event* find_event(Runtime& r, cudaEvent_t handle) {
  const auto found = r.events.find(handle);
  return found == r.events.end() ? nullptr : found->second.get();
}

bool reached(const Mark& mark) { return mark.stream->done >= mark.position; }

DeviceState& device_of(Runtime& r, int device) {
  return r.devices[static_cast<std::size_t>(device)];
}

/// One piece of work, so that somebody who asks again and again is answered at last.
void advance(Runtime& r, const StreamPtr& stream) { drain(r, stream, stream->done + 1); }

}  // namespace

void enqueue(Runtime& r, const StreamPtr& stream, Work work) {
  DeviceState& device = device_of(r, stream->device);
  device.has_context = true;
  if (stream == device.default_stream) {
    for (const auto& weak : r.all_streams) {
      const StreamPtr other = weak.lock();
      if (other == nullptr || other == stream || !other->joins_default) continue;
      if (other->device == stream->device && !other->queue.empty()) {
        work.after.push_back({other, other->issued});
      }
    }
  } else if (stream->joins_default && !device.default_stream->queue.empty()) {
    work.after.push_back({device.default_stream, device.default_stream->issued});
  }
  ++stream->issued;
  stream->queue.push_back(std::move(work));
}

void drain(Runtime& r, const StreamPtr& stream, std::uint64_t position) {
  position = std::min(position, stream->issued);
  while (stream->done < position) {
    const Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    for (const Mark& mark : work.after) drain(r, mark.stream, mark.position);
    DeviceState& device = device_of(r, stream->device);
    if (device.broken == cudaSuccess && work.run) {
      const cudaError_t error = work.run();
      if (error != cudaSuccess) device.broken = error;
    }
    ++stream->done;
  }
}

void drain_device(Runtime& r, int device) {
  for (std::size_t i = 0; i < r.all_streams.size(); ++i) {
    const StreamPtr stream = r.all_streams[i].lock();
    if (stream != nullptr && stream->device == device) drain(r, stream, stream->issued);
  }
}

cudaError_t wait_for(Runtime& r, const StreamPtr& stream, std::uint64_t position) {
  run_ahead(r, stream.get());
  drain(r, stream, position);
  return device_of(r, stream->device).broken;
}

}  // namespace papo::shim

using papo::shim::call;
using papo::shim::Runtime;
using papo::shim::StreamPtr;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  return call("cudaStreamCreateWithFlags", [=](Runtime& r) {
    if (flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    const int device = papo::shim::current_device();
    r.devices[static_cast<std::size_t>(device)].has_context = true;
    *stream = reinterpret_cast<cudaStream_t>(r.next_handle += 16);
    r.streams[*stream] = r.new_stream(device, flags != cudaStreamNonBlocking);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call("cudaStreamDestroy", [=](Runtime& r) {
    const auto found = r.streams.find(stream);
    if (found == r.streams.end()) return cudaErrorInvalidResourceHandle;
    // What was enqueued is still done some time; here at once, since nobody could wait for it any more.
    papo::shim::drain(r, found->second, found->second->issued);
    r.streams.erase(found);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return call("cudaStreamSynchronize", [=](Runtime& r) {
    const StreamPtr stream = r.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    return papo::shim::wait_for(r, stream, stream->issued);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return call("cudaStreamQuery", [=](Runtime& r) {
    const StreamPtr stream = r.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->queue.empty()) return cudaSuccess;
    papo::shim::advance(r, stream);
    const cudaError_t broken = papo::shim::device_of(r, stream->device).broken;
    return broken != cudaSuccess ? broken : cudaErrorNotReady;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned int flags) {
  return call("cudaStreamWaitEvent", [=](Runtime& r) {
    const StreamPtr stream = r.find(handle);
    const papo::shim::Event* found = papo::shim::find_event(r, event);
    if (stream == nullptr || found == nullptr) return cudaErrorInvalidResourceHandle;
    if (flags != 0) return cudaErrorInvalidValue;
    if (!found->recorded) return cudaSuccess;
    papo::shim::Work work;
    work.after.push_back(found->mark);
    papo::shim::enqueue(r, stream, std::move(work));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamGetDevice(cudaStream_t handle, int* device) {
  return call("cudaStreamGetDevice", [=](Runtime& r) {
    const StreamPtr stream = r.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    *device = stream->device;
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  return call("cudaEventCreateWithFlags", [=](Runtime& r) {
    if (flags > (cudaEventBlockingSync | cudaEventDisableTiming)) return cudaErrorInvalidValue;
    *event = reinterpret_cast<cudaEvent_t>(r.next_handle += 16);
    auto made = std::make_unique<papo::shim::Event>();
    made->device = papo::shim::current_device();
    made->timed = (flags & cudaEventDisableTiming) == 0;
    papo::shim::device_of(r, made->device).has_context = true;
    r.events[*event] = std::move(made);
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call("cudaEventDestroy", [=](Runtime& r) {
    return r.events.erase(event) == 1 ? cudaSuccess : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  return call("cudaEventRecord", [=](Runtime& r) {
    const StreamPtr stream = r.find(handle);
    papo::shim::Event* found = papo::shim::find_event(r, event);
    if (stream == nullptr || found == nullptr || found->device != stream->device) {
      return cudaErrorInvalidResourceHandle;
    }
    found->time = std::make_shared<std::chrono::steady_clock::time_point>();
    papo::shim::Work work;
    work.run = [time = found->time] {
      *time = std::chrono::steady_clock::now();
      return cudaSuccess;
    };
    papo::shim::enqueue(r, stream, std::move(work));
    found->recorded = true;
    found->mark = {stream, stream->issued};
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call("cudaEventSynchronize", [=](Runtime& r) {
    const papo::shim::Event* found = papo::shim::find_event(r, event);
    if (found == nullptr) return cudaErrorInvalidResourceHandle;
    if (!found->recorded) return cudaSuccess;
    return papo::shim::wait_for(r, found->mark.stream, found->mark.position);
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return call("cudaEventQuery", [=](Runtime& r) {
    const papo::shim::Event* found = papo::shim::find_event(r, event);
    if (found == nullptr) return cudaErrorInvalidResourceHandle;
    if (!found->recorded || papo::shim::reached(found->mark)) return cudaSuccess;
    papo::shim::advance(r, found->mark.stream);
    const cudaError_t broken = papo::shim::device_of(r, found->mark.stream->device).broken;
    return broken != cudaSuccess ? broken : cudaErrorNotReady;
  });
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
  return call("cudaEventElapsedTime", [=](Runtime& r) {
    const papo::shim::Event* first = papo::shim::find_event(r, begin);
    const papo::shim::Event* last = papo::shim::find_event(r, end);
    if (first == nullptr || last == nullptr || !first->recorded || !last->recorded ||
        !first->timed || !last->timed || first->device != last->device) {
      return cudaErrorInvalidResourceHandle;
    }
    if (!papo::shim::reached(first->mark) || !papo::shim::reached(last->mark)) {
      return cudaErrorNotReady;
    }
    *ms = std::chrono::duration<float, std::milli>(*last->time - *first->time).count();
    return cudaSuccess;
  });
}

}  // extern "C"
