// Streams and events: order, and what is refused.
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/memory.hpp"
#include "cuda/stream.hpp"
#include "host_machine.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

StreamPtr stream_of(int device) {
  StreamPtr stream;
  const Status status = create_stream("test", device, stream);
  REQUIRE_MESSAGE(status.ok(), status.message());
  return stream;
}

EventPtr event_of(int device) {
  EventPtr event;
  const Status status = create_event("test", device, event);
  REQUIRE_MESSAGE(status.ok(), status.message());
  return event;
}

/// One byte on a device, written in stream order and read without waiting for any stream.
struct Byte {
  MemoryPtr memory;

  explicit Byte(int device) { REQUIRE(allocate("test", device, 1, memory).ok()); }

  void set(int value, const StreamPtr& stream) const {
    REQUIRE(cudaMemsetAsync(memory->data(), value, 1,
                            static_cast<cudaStream_t>(stream->handle())) == cudaSuccess);
  }
  void copy_to(const Byte& other, const StreamPtr& stream) const {
    REQUIRE(cudaMemcpyAsync(other.memory->data(), memory->data(), 1, cudaMemcpyDeviceToDevice,
                            static_cast<cudaStream_t>(stream->handle())) == cudaSuccess);
  }
  int get(const StreamPtr& stream) const {
    unsigned char value = 0;
    REQUIRE(copy("test", {memory->data(), memory->device(), 1}, {&value, {}, 1}, 1, 1, stream.get())
                .ok());
    return value;
  }
};

}  // namespace

TEST_CASE("streams and events go when their last holder lets go, foreign streams never") {
  const FreshMachine machine;
  {
    const StreamPtr stream = stream_of(1);
    const EventPtr event = event_of(1);
    CHECK(stream->device() == 1);
    CHECK_FALSE(stream->foreign());
    CHECK(shim::live().streams == 1);
    CHECK(shim::live().events == 1);
    StreamPtr wrapped;
    REQUIRE(
        wrap_stream("test", 1, reinterpret_cast<std::uintptr_t>(stream->handle()), wrapped).ok());
    CHECK(wrapped->foreign());
    CHECK(wrapped->handle() == stream->handle());
    wrapped.reset();
    CHECK(shim::live().streams == 1);
  }
  CHECK(shim::live().streams == 0);
  CHECK(shim::live().events == 0);
}

TEST_CASE(
    "a foreign stream is refused on another device, and where its name means one per thread") {
  const FreshMachine machine;
  const StreamPtr stream = stream_of(1);
  StreamPtr wrapped;
  Status status =
      wrap_stream("wrapStream", 0, reinterpret_cast<std::uintptr_t>(stream->handle()), wrapped);
  CHECK(status.code() == Code::device_mismatch);
  CHECK(status.message() == "[wrapStream] expected a stream of cuda:0, received one of cuda:1");
  status = wrap_stream("wrapStream", 0, 2, wrapped);
  CHECK(status.code() == Code::argument);
  CHECK(status.message() ==
        "[wrapStream] expected a stream that is the same one on every thread, received "
        "cudaStreamPerThread");
  status = wrap_stream("wrapStream", 0, 0x7777, wrapped);
  CHECK(status.code() == Code::cuda);
  CHECK(status.message() ==
        "[wrapStream] expected cuda:0 to know the stream, received cudaErrorInvalidResourceHandle "
        "(invalid resource handle)");
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(wrapped.use_count() == 0);
  CHECK(wrap_stream("wrapStream", 1, 0, wrapped).ok());
  CHECK(wrap_stream("wrapStream", 1, 1, wrapped).ok());
  CHECK(wrap_stream("wrapStream", 2, 0, wrapped).code() == Code::device_unavailable);
  CHECK(create_stream("stream", 2, wrapped).code() == Code::device_unavailable);
}

TEST_CASE("an event holds back another stream until its own has come there, across devices too") {
  for (const int second_device : {0, 1}) {
    CAPTURE(second_device);
    const FreshMachine machine;
    const StreamPtr first = stream_of(0);
    const StreamPtr second = stream_of(second_device);
    const Byte byte(0);
    const Byte seen(second_device);
    const EventPtr written = event_of(0);
    byte.set(5, first);
    REQUIRE(record("test", *written, first.get()).ok());
    REQUIRE(wait("test", second.get(), *written).ok());
    if (second_device == 0) {
      byte.copy_to(seen, second);
    } else {
      REQUIRE(cudaSetDevice(second_device) == cudaSuccess);
      REQUIRE(cudaMemcpyPeerAsync(seen.memory->data(), second_device, byte.memory->data(), 0, 1,
                                  static_cast<cudaStream_t>(second->handle())) == cudaSuccess);
    }
    CHECK(seen.get(second) == 5);
  }
}

TEST_CASE("an event says whether it was reached, and can be waited for") {
  const FreshMachine machine;
  const StreamPtr stream = stream_of(1);
  const Byte byte(1);
  const EventPtr event = event_of(1);
  bool done = false;
  REQUIRE(query("test", *event, done).ok());
  CHECK(done);
  byte.set(1, stream);
  REQUIRE(record("test", *event, stream.get()).ok());
  REQUIRE(query("test", *event, done).ok());
  CHECK_FALSE(done);
  CHECK(cudaGetLastError() == cudaSuccess);
  REQUIRE(synchronize("test", *event).ok());
  REQUIRE(query("test", *event, done).ok());
  CHECK(done);
}

TEST_CASE(
    "without a stream, an event is recorded in its device's default stream and waited for there") {
  const FreshMachine machine;
  const EventPtr event = event_of(1);
  const Byte byte(1);
  REQUIRE(cudaSetDevice(1) == cudaSuccess);
  REQUIRE(cudaMemsetAsync(byte.memory->data(), 8, 1, nullptr) == cudaSuccess);
  REQUIRE(cudaSetDevice(0) == cudaSuccess);
  REQUIRE(record("test", *event, nullptr).ok());
  bool done = true;
  REQUIRE(query("test", *event, done).ok());
  CHECK_FALSE(done);
  REQUIRE(wait("test", nullptr, *event).ok());
  REQUIRE(synchronize("test", 1, nullptr).ok());
  REQUIRE(query("test", *event, done).ok());
  CHECK(done);
}

TEST_CASE("an event is recorded only by streams of its device") {
  const FreshMachine machine;
  const StreamPtr stream = stream_of(1);
  const EventPtr event = event_of(0);
  const Status status = record("recordEvent", *event, stream.get());
  CHECK(status.code() == Code::device_mismatch);
  CHECK(status.message() ==
        "[recordEvent] expected a stream of cuda:0 like the event, received one of cuda:1");
}

TEST_CASE("time passes between two events, and between no others") {
  const FreshMachine machine;
  const StreamPtr stream = stream_of(0);
  const Byte byte(0);
  const EventPtr begin = event_of(0);
  const EventPtr end = event_of(0);
  const EventPtr never = event_of(0);
  const EventPtr elsewhere = event_of(1);
  const auto refusal = [&](const Event& from, const Event& to) {
    double ms = 0;
    const Status status = elapsed("elapsed", from, to, ms);
    CHECK(status.code() == Code::argument);
    CHECK(cudaGetLastError() == cudaSuccess);
    return status.message();
  };
  const std::string expected =
      "[elapsed] expected two events of one device, recorded and reached, received ";
  REQUIRE(record("test", *begin, stream.get()).ok());
  byte.set(1, stream);
  REQUIRE(record("test", *end, stream.get()).ok());
  CHECK(refusal(*begin, *end) == expected + "one that is still to be reached");
  CHECK(refusal(*begin, *never) == expected + "one that was never recorded");
  CHECK(refusal(*begin, *elsewhere) == expected + "events of two devices");
  REQUIRE(synchronize("test", *end).ok());
  double ms = -1;
  REQUIRE(elapsed("elapsed", *begin, *end, ms).ok());
  CHECK(ms >= 0);
  CHECK(std::isfinite(ms));
}

TEST_CASE("a stream of ours does not wait for the default stream") {
  const FreshMachine machine;
  const StreamPtr stream = stream_of(0);
  const Byte byte(0);
  const EventPtr default_done = event_of(0);
  REQUIRE(cudaMemsetAsync(byte.memory->data(), 1, 1, nullptr) == cudaSuccess);
  REQUIRE(record("test", *default_done, nullptr).ok());
  byte.set(2, stream);
  REQUIRE(synchronize("test", 0, stream.get()).ok());
  bool done = true;
  REQUIRE(query("test", *default_done, done).ok());
  CHECK_FALSE(done);
}

TEST_CASE("a stream is waited for alone, a device with all its streams") {
  const FreshMachine machine;
  const StreamPtr first = stream_of(0);
  const StreamPtr second = stream_of(0);
  const Byte byte(0);
  const EventPtr first_done = event_of(0);
  const EventPtr second_done = event_of(0);
  byte.set(1, first);
  REQUIRE(record("test", *first_done, first.get()).ok());
  byte.set(2, second);
  REQUIRE(record("test", *second_done, second.get()).ok());
  bool done = false;
  REQUIRE(synchronize("test", 0, first.get()).ok());
  REQUIRE(query("test", *first_done, done).ok());
  CHECK(done);
  REQUIRE(query("test", *second_done, done).ok());
  CHECK_FALSE(done);
  REQUIRE(synchronize("test", 0, nullptr).ok());
  REQUIRE(query("test", *second_done, done).ok());
  CHECK(done);
  const StreamPtr elsewhere = stream_of(1);
  CHECK(synchronize("test", 0, elsewhere.get()).ok());
  CHECK(synchronize("test", 2, nullptr).code() == Code::device_unavailable);
}
