// Without a GPU (or without CUDA) every door of the backend says why it is shut, and nothing crashes.
#include <string>

#include <doctest/doctest.h>

#include "cuda/backend.hpp"
#include "cuda/memory.hpp"
#include "cuda/stream.hpp"

using namespace papo;

TEST_CASE("every door of a backend without a device is shut, with the reason") {
  const cuda::Runtime& runtime = cuda::runtime();
  if (runtime.unavailable.empty()) {
    MESSAGE("not checked: there is a device, ", runtime.devices.front().name);
    return;
  }
  CHECK(runtime.devices.empty());
  const auto shut = [&](const Status& status, const char* device) {
    CHECK(status.code() == Code::device_unavailable);
    CHECK(status.message() ==
          std::string("[door] ") + device + " is not available: " + runtime.unavailable);
  };
  const std::string where = "door";
  char host[4] = {};
  const cuda::Area here = {host, {}, 4};
  const cuda::Area there = {host, {DeviceKind::cuda, 1}, 4};
  cuda::MemoryPtr memory;
  std::shared_ptr<void> pinned;
  cuda::MemoryInfo info;
  cuda::StreamPtr stream;
  cuda::EventPtr event;
  shut(cuda::check_device(where, 0), "cuda:0");
  shut(cuda::allocate(where, 1, 4, memory), "cuda:1");
  shut(cuda::wrap(where, 1, 4096, 4, memory), "cuda:1");
  shut(cuda::allocate_pinned(where, 4, pinned), "cuda:0");
  shut(cuda::memory_info(where, 1, info), "cuda:1");
  shut(cuda::copy(where, here, there, 1, 4, nullptr), "cuda:1");
  shut(cuda::copy(where, there, here, 1, 4, nullptr), "cuda:1");
  shut(cuda::clear(where, there, 1, 4, nullptr), "cuda:1");
  shut(cuda::create_stream(where, 1, stream), "cuda:1");
  shut(cuda::wrap_stream(where, 1, 1, stream), "cuda:1");
  shut(cuda::synchronize(where, 1, nullptr), "cuda:1");
  shut(cuda::create_event(where, 1, event), "cuda:1");
  CHECK(memory.use_count() + stream.use_count() + event.use_count() + pinned.use_count() == 0);
}

TEST_CASE("rows of the host are copied and cleared by any backend") {
  char from[] = {1, 2, 3, 4};
  char to[] = {0, 0, 0, 0};
  REQUIRE(cuda::copy("door", {from, {}, 2}, {to, {}, 3}, 2, 1, nullptr).ok());
  CHECK(to[0] == 1);
  CHECK(to[3] == 3);
  REQUIRE(cuda::clear("door", {to, {}, 3}, 2, 1, nullptr).ok());
  CHECK(to[0] + to[3] == 0);
}
