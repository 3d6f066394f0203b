// The state behind the runtime calls: devices, memory, streams, events. One lock guards all of it, and holds while
// work of a device runs.
#pragma once

#include <cuda_runtime.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "shim/machine.hpp"
#include "shim/shim.hpp"

namespace papo::shim {

struct Stream;
using StreamPtr = std::shared_ptr<Stream>;

/// A point in a stream: reached when so much of its work is done.
struct Mark {
  StreamPtr stream;
  std::uint64_t position = 0;
};

struct Work {
  std::function<cudaError_t()> run;
  std::vector<Mark> after;  ///< of other streams
  /// Host memory that it will read, so that nobody else may touch that before.
  const char* reads = nullptr;
  std::size_t reads_bytes = 0;
};

/// Work in order, done only when somebody waits for it.
struct Stream {
  int device = 0;
  bool joins_default = false;  ///< waits for the default stream, and it for this one
  std::deque<Work> queue;
  std::uint64_t issued = 0;
  std::uint64_t done = 0;
};

struct Event {
  int device = 0;
  bool timed = true;
  bool recorded = false;
  Mark mark;
  /// When its mark was reached; shared with the work that writes it, which may outlive the event.
  std::shared_ptr<std::chrono::steady_clock::time_point> time;
};

struct Allocation {
  char* data = nullptr;
  std::size_t bytes = 0;
  int device = 0;
  bool pinned = false;
};

struct DeviceState {
  cudaDeviceProp properties = {};
  std::size_t used = 0;
  bool has_context = false;
  cudaError_t broken = cudaSuccess;  ///< once a kernel has failed, every call says so
  StreamPtr default_stream;
  StreamPtr per_thread_stream;
  std::map<const void*, cudaFuncAttributes> functions;
  std::set<int> peers;
};

struct Injection {
  std::string function;
  cudaError_t error = cudaSuccess;
  unsigned nth = 1;
};

struct Runtime {
  std::mutex mutex;
  Settings settings;
  std::vector<DeviceState> devices;
  std::map<std::uintptr_t, Allocation> allocations;  ///< by their first byte
  std::map<cudaStream_t, StreamPtr> streams;
  std::map<cudaEvent_t, std::unique_ptr<Event>> events;
  std::map<const void*, Binder> kernels;
  std::vector<Injection> injections;
  std::vector<std::weak_ptr<Stream>> all_streams;
  std::uintptr_t next_handle = 0x1000;
  std::uint64_t launches = 0;
  std::size_t kernels_run = 0;
  std::size_t live_streams = 0;

  void restart(const Settings& wanted);
  StreamPtr new_stream(int device, bool joins_default);
  /// The stream a handle means on the current device; null if there is none.
  StreamPtr find(cudaStream_t handle);
  const Allocation* allocation_of(const void* pointer) const;
};

Runtime& runtime();

/// The device that calls of this thread go to.
int& current_device();

/// Runs `body(runtime)` as the runtime call `name`: locked, with what goes for all of them (driver states, broken
/// devices, planned failures), and remembers an error for cudaGetLastError.
cudaError_t call(const char* name, const std::function<cudaError_t(Runtime&)>& body);
cudaError_t remember(cudaError_t error);
/// The error that `name` was told to fail with now, or success.
cudaError_t injected(Runtime& r, const std::string& name);

/// Puts work at the end of a stream, behind what it must wait for.
void enqueue(Runtime& r, const StreamPtr& stream, Work work);
/// Does the work of a stream up to a position; what went wrong stays with the device.
void drain(Runtime& r, const StreamPtr& stream, std::uint64_t position);
/// The same for somebody who waits, so that other streams may go first.
cudaError_t wait_for(Runtime& r, const StreamPtr& stream, std::uint64_t position);
void drain_device(Runtime& r, int device);

}  // namespace papo::shim
