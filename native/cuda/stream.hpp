// Streams and events: the order in which a device works, and marks in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/status.hpp"

namespace papo::cuda {

/// A stream of one device: ours (destroyed with the last holder) or a foreign one.
class Stream {
 public:
  Stream(int device, void* handle, bool foreign)
      : device_(device), handle_(handle), foreign_(foreign) {}
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int device() const { return device_; }
  /// The `cudaStream_t`; null is the device's default stream.
  void* handle() const { return handle_; }
  bool foreign() const { return foreign_; }

 private:
  int device_;
  void* handle_;
  bool foreign_;
};
using StreamPtr = std::shared_ptr<Stream>;

class Event {
 public:
  Event(int device, void* handle) : device_(device), handle_(handle) {}
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  int device() const { return device_; }
  void* handle() const { return handle_; }

 private:
  int device_;
  void* handle_;
};
using EventPtr = std::shared_ptr<Event>;

/// A stream that does not wait for the default one.
Status create_stream(const std::string& where, int device, StreamPtr& stream);
Status wrap_stream(const std::string& where, int device, std::uintptr_t handle, StreamPtr& stream);
/// Waits for all work of a stream (null: of the whole device).
Status synchronize(const std::string& where, int device, const Stream* stream);

Status create_event(const std::string& where, int device, EventPtr& event);
Status record(const std::string& where, const Event& event, const Stream* stream);
/// Work given to `stream` from now on waits for the event.
Status wait(const std::string& where, const Stream* stream, const Event& event);
Status synchronize(const std::string& where, const Event& event);
Status query(const std::string& where, const Event& event, bool& done);
Status elapsed(const std::string& where, const Event& begin, const Event& end, double& ms);

}  // namespace papo::cuda
