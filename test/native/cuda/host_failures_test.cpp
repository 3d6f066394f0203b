// What a call on a device says when it fails, and what it leaves: the CPU's words, zeros in gradients, a usable device.
#include <cuda_runtime.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/device_guard.hpp"
#include "cuda/stream.hpp"
#include "host_calls.hpp"
#include "host_machine.hpp"
#include "ops/papo_loss.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

namespace loss = papo::papo_loss;

constexpr std::size_t kVocab = HostLoss::kVocab;
constexpr std::size_t kPitch = HostLoss::kPitch;

}  // namespace

TEST_CASE("a row that fails is told in the CPU's words, and leaves zeros in gradients") {
  const FreshMachine machine;
  const auto fill = [](std::vector<float>& data, std::size_t row, float value) {
    for (std::size_t i = 0; i < kVocab; ++i) data[row * kPitch + i] = value;
  };
  const std::vector<std::function<void(HostLoss&)>> faults = {
      [](HostLoss& host) { host.logits[2 * kPitch + 36] = NAN; },
      [](HostLoss& host) { host.logits[0] = INFINITY; },
      [&](HostLoss& host) { fill(host.logits, 4, -INFINITY); },
      [](HostLoss& host) { host.masked_logits[kPitch] = NAN; },
      [&](HostLoss& host) { fill(host.masked_logits, 2, -INFINITY); },
      [](HostLoss& host) { host.masked_logits[2 * kPitch + 3] = -INFINITY; },
      [](HostLoss& host) { host.logits[4 * kPitch] = host.logits[kPitch] = NAN; },
  };
  for (std::size_t i = 0; i < faults.size(); ++i) {
    CAPTURE(i);
    HostLoss host;
    faults[i](host);
    const OnDevice there(host.call, 1);
    const Status expected = host.run();
    const Status received = there.run();
    REQUIRE_FALSE(expected.ok());
    CHECK(received.code() == expected.code());
    CHECK(received.message() == expected.message());
    CHECK(received.row() == expected.row());
    check_zeros(there.matrix(there.call.outputs[loss::kGradLogits]));
    check_zeros(there.matrix(there.call.outputs[loss::kGradMaskedLogits]));
    const OnDevice forward(host.stats(), 1);
    CHECK(forward.run().message() == run(host.stats()).message());
  }
}

TEST_CASE("a launch that fails is told, and leaves zeros in gradients and the device usable") {
  const FreshMachine machine;
  HostLoss host;
  const OnDevice there(host.call, 1);
  shim::fail_next("cudaLaunchKernelExC", cudaErrorLaunchOutOfResources);
  Status status = there.run();
  CHECK(status.code() == Code::cuda);
  CHECK(status.message() ==
        "[papoLoss] expected cuda:1 to launch its kernel, received cudaErrorLaunchOutOfResources "
        "(too many resources requested for launch)");
  check_zeros(there.matrix(there.call.outputs[loss::kGradLogits]));
  check_zeros(there.matrix(there.call.outputs[loss::kGradMaskedLogits]));
  CHECK(cudaGetLastError() == cudaSuccess);
  check_same(host);

  // In a stream of its own, zeros have arrived as well when the call returns.
  StreamPtr stream;
  REQUIRE(create_stream("test", 1, stream).ok());
  OnDevice streamed(host.call, 1);
  streamed.call.stream = stream->handle();
  shim::fail_next("cudaLaunchKernelExC", cudaErrorLaunchOutOfResources);
  CHECK_FALSE(streamed.run().ok());
  check_zeros(streamed.matrix(streamed.call.outputs[loss::kGradLogits]));

  // In place, the logits are what they were.
  host.call.outputs[loss::kGradLogits].data = host.logits.data();
  const OnDevice in_place(host.call, 1);
  shim::fail_next("cudaLaunchKernelExC", cudaErrorLaunchOutOfResources);
  CHECK_FALSE(in_place.run().ok());
  check_close(in_place.matrix(in_place.call.inputs[loss::kLogits]), host.logits, 0);
}

TEST_CASE("a call that fails on one device makes no context on another") {
  const FreshMachine machine;
  HostLoss host;
  const OnDevice there(host.call, 1);
  shim::fail_next("cudaLaunchKernelExC", cudaErrorLaunchOutOfResources);
  CHECK_FALSE(there.run().ok());
  CHECK(has_context(1));
  CHECK_FALSE(has_context(0));
}

TEST_CASE(
    "out of memory during a call names sizes, clears gradients and leaves everything usable") {
  const FreshMachine machine;
  HostLoss host;
  const OnDevice there(host.call, 1);
  for (const char* function : {"cudaMalloc", "cudaHostAlloc"}) {
    CAPTURE(function);
    const shim::Live before = shim::live();
    shim::fail_next(function, cudaErrorMemoryAllocation);
    const Status status = there.run();
    CHECK(status.code() == Code::out_of_memory);
    CHECK(status.message().find("[papoLoss] expected 65536 bytes (64 KiB)") == 0);
    check_zeros(there.matrix(there.call.outputs[loss::kGradLogits]));
    CHECK(shim::live().device_bytes == before.device_bytes);
    CHECK(shim::live().pinned_bytes == before.pinned_bytes);
    CHECK(cudaGetLastError() == cudaSuccess);
  }
  check_same(host);
}

TEST_CASE("a kernel that breaks the device is told with what remains to do") {
  const FreshMachine machine;
  HostLoss host;
  const OnDevice there(host.call, 1);
  shim::fail_next("execution", cudaErrorIllegalAddress);
  const std::string said =
      "received cudaErrorIllegalAddress (an illegal memory access was encountered); CUDA works "
      "again only in a new process";
  Status status = there.run();
  CHECK(status.code() == Code::cuda);
  CHECK(status.message() == "[papoLoss] expected cuda:1 to finish, " + said);
  status = there.run();
  CHECK(status.code() == Code::cuda);
  CHECK(status.message().find(said) != std::string::npos);
  // The other device goes on.
  check_same(host, 0);
}

TEST_CASE("a call that was given up before its launch leaves zeros in gradients") {
  const FreshMachine machine;
  HostLoss host;
  const std::int32_t flag = 1;
  host.call.cancellation.flag = &flag;
  const OnDevice there(host.call, 1);
  CHECK(there.run().code() == Code::aborted);
  check_zeros(there.matrix(there.call.outputs[loss::kGradLogits]));
}

TEST_CASE("a stream of another device fails in words and breaks nothing") {
  const FreshMachine machine;
  HostLoss host;
  OnDevice there(host.call, 1);
  StreamPtr stream;
  REQUIRE(create_stream("test", 0, stream).ok());
  there.call.stream = stream->handle();
  const Status status = there.run();
  CHECK(status.code() == Code::cuda);
  CHECK(status.message() ==
        "[papoLoss] expected cuda:1 to launch its kernel, received cudaErrorInvalidResourceHandle "
        "(invalid resource handle)");
  check_same(host);
}
