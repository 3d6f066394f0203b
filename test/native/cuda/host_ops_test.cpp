// The ops on a device from the host's side: the CPU's results, whatever is absent, in the order of their stream.
#include <cuda_runtime.h>

#include <cfenv>
#include <cmath>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/stream.hpp"
#include "cuda/workspace.hpp"
#include "host_calls.hpp"
#include "host_machine.hpp"
#include "math/token_lines.hpp"
#include "ops/papo_loss.hpp"
#include "ops/token_stats.hpp"
#include "ops/token_stats_grad.hpp"
#include "ops/token_stats_partial.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

namespace loss = papo::papo_loss;
namespace stats = papo::token_stats;
namespace grad = papo::token_stats_grad;
namespace partial = papo::token_stats_partial;

constexpr std::size_t kRows = HostLoss::kRows;
constexpr std::size_t kVocab = HostLoss::kVocab;
constexpr std::size_t kPitch = HostLoss::kPitch;

}  // namespace

TEST_CASE("papo_loss on a device gives what the CPU gives, on any device") {
  const FreshMachine machine;
  for (const int device : {0, 1}) {
    HostLoss host;
    check_same(host, device);
  }
}

TEST_CASE(
    "the host's part of a call on a device rounds to nearest, whatever the thread is set to") {
  const FreshMachine machine;
  HostLoss host;
  OnDevice expected(host.call, 0);
  REQUIRE(expected.run().ok());
  // One over the temperature is inexact: one of the two takes it elsewhere than the nearest.
  for (const int rounding : {FE_UPWARD, FE_DOWNWARD}) {
    OnDevice received(host.call, 0);
    std::fesetround(rounding);
    const Status status = received.run();
    CHECK(std::fegetround() == rounding);
    std::fesetround(FE_TONEAREST);
    REQUIRE(status.ok());
    CHECK(received.lines(loss::kStatistics) == expected.lines(loss::kStatistics));
    CHECK(received.lines(loss::kTerms) == expected.lines(loss::kTerms));
    for (const auto output : {loss::kGradLogits, loss::kGradMaskedLogits}) {
      const std::vector<float> right = expected.matrix(expected.call.outputs[output]);
      const std::vector<float> got = received.matrix(received.call.outputs[output]);
      CHECK(std::memcmp(got.data(), right.data(), right.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("everything that is optional may be absent") {
  const FreshMachine machine;
  const std::vector<std::function<void(HostLoss&)>> absences = {
      [](HostLoss& host) { host.call.inputs[loss::kResponseMask] = {}; },
      [](HostLoss& host) { host.call.inputs[loss::kOldLogProbs] = {}; },
      [](HostLoss& host) { host.call.inputs[loss::kRefLogProbs] = {}; },
      [](HostLoss& host) { host.call.inputs[loss::kAdvantages] = {}; },
      [](HostLoss& host) { host.call.inputs[loss::kPerceptionWeights] = {}; },
      [](HostLoss& host) { host.call.outputs[loss::kGradLogits] = {}; },
      [](HostLoss& host) { host.call.outputs[loss::kGradMaskedLogits] = {}; },
      [](HostLoss& host) {
        host.call.outputs[loss::kGradLogits] = {};
        host.call.outputs[loss::kGradMaskedLogits] = {};
      },
  };
  for (std::size_t i = 0; i < absences.size(); ++i) {
    CAPTURE(i);
    HostLoss host(static_cast<unsigned>(i));
    absences[i](host);
    check_same(host);
  }
}

TEST_CASE("masked log-probs may come as numbers, or not at all") {
  const FreshMachine machine;
  for (const bool numbers : {true, false}) {
    CAPTURE(numbers);
    HostLoss host;
    std::vector<double> masked_log_probs(kRows, -3);
    host.call.inputs[loss::kMaskedLogits] = {};
    host.call.outputs[loss::kGradMaskedLogits] = {};
    host.call.attributes[token_objective_op::kPerceptionKlEstimator] = 2;
    host.call.attributes[token_objective_op::kMaskedEntropyCoef] = 0;
    if (numbers) {
      host.call.inputs[loss::kMaskedLogProbs] = {masked_log_probs.data(), kRows, 1, 1,
                                                 DType::float64,          {}};
    }
    check_same(host);
  }
}

TEST_CASE("gradients may take the place of their logits") {
  const FreshMachine machine;
  HostLoss host;
  host.call.outputs[loss::kGradLogits].data = host.logits.data();
  check_same(host);
}

TEST_CASE(
    "gradients that are zero already are left alone where rows do not count, by both engines") {
  const FreshMachine machine;
  HostLoss host;
  host.mask = {0, 1, 0, 0, 1};
  host.call.attributes[loss::kGradsZeroed] = 1;
  check_same(host);
  const auto untouched = [&](const std::vector<float>& matrix) {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < matrix.size(); ++i) {
      const bool counted = host.mask[i / kPitch] != 0 && i % kPitch < kVocab;
      // A HostLoss's gradients begin as -1.
      wrong += (matrix[i] == -1) == counted;
    }
    return wrong == 0;
  };
  CHECK(untouched(host.grad_logits));
  CHECK(untouched(host.grad_masked_logits));

  // Also after a failure.
  host.logits[4 * kPitch] = NAN;
  const OnDevice there(host.call, 1);
  CHECK_FALSE(there.run().ok());
  CHECK_FALSE(host.run().ok());
  for (const std::vector<float>& matrix :
       {host.grad_logits, there.matrix(there.call.outputs[loss::kGradLogits])}) {
    CHECK(untouched(matrix));
    CHECK(matrix[kPitch] == 0);
    CHECK(matrix[4 * kPitch + kVocab - 1] == 0);
  }

  host.call.outputs[loss::kGradLogits].data = host.logits.data();
  const Status refused = host.run();
  CHECK(refused.code() == Code::argument);
  CHECK(refused.message() ==
        "[papoLoss] expected gradLogits in memory of its own where gradsZeroed is said, received "
        "that of its logits");
}

TEST_CASE("token_stats on a device gives what the CPU gives, and marks rows it is told to skip") {
  const FreshMachine machine;
  HostLoss host;
  OpCall call = host.stats();
  OnDevice there(call, 1);
  REQUIRE(run(call).ok());
  REQUIRE(there.run().ok());
  check_close(there.lines(stats::kStatistics), host.statistics, 1e-6);

  host.logits[2 * kPitch + 5] = NAN;
  std::vector<std::int32_t> invalid(kRows, 7);
  std::vector<std::int32_t> invalid_there(kRows, 7);
  call.attributes[stats::kOnInvalid] = 1;
  call.outputs[stats::kInvalid] = {invalid.data(), kRows, 1, 1, DType::int32, {}};
  OnDevice skipping(call, 1);
  skipping.call.outputs[stats::kInvalid].data = invalid_there.data();
  REQUIRE(run(call).ok());
  REQUIRE(skipping.run().ok());
  CHECK(invalid_there == std::vector<std::int32_t>{0, 0, 1, 0, 0});
  CHECK(invalid == invalid_there);
  check_close(skipping.lines(stats::kStatistics), host.statistics, 1e-6);
}

TEST_CASE("token_stats_grad on a device gives what the CPU gives, accumulated too") {
  const FreshMachine machine;
  HostLoss host;
  const OpCall forward = host.stats();
  REQUIRE(run(forward).ok());
  std::vector<double> cotangents;
  for (std::size_t i = 0; i < 6 * kRows; ++i)
    cotangents.push_back(std::cos(static_cast<double>(i)));
  for (const bool accumulate : {false, true}) {
    CAPTURE(accumulate);
    OpCall call;
    call.spec = &grad::kSpec;
    call.rows = kRows;
    call.vocab = kVocab;
    for (const auto& [to, from] : {std::pair{grad::kLogits, stats::kLogits},
                                   std::pair{grad::kMaskedLogits, stats::kMaskedLogits},
                                   std::pair{grad::kTokenIds, stats::kTokenIds},
                                   std::pair{grad::kResponseMask, stats::kResponseMask}}) {
      call.inputs[to] = forward.inputs[from];
    }
    call.inputs[grad::kStatistics] = forward.outputs[stats::kStatistics];
    call.inputs[grad::kCotangents] = {cotangents.data(), 6, kRows, kRows, DType::float64, {}};
    call.outputs[grad::kGradLogits] = host.call.outputs[loss::kGradLogits];
    call.outputs[grad::kGradMaskedLogits] = host.call.outputs[loss::kGradMaskedLogits];
    call.attributes[grad::kTemperature] = 0.7;
    call.attributes[grad::kGradScale] = 3;
    call.attributes[grad::kAccumulate] = accumulate ? 1 : 0;
    // The same columns as a shard of a larger vocabulary, with one of the chosen tokens elsewhere.
    if (accumulate) {
      for (std::int32_t& id : host.token_ids) id += 20;
      host.token_ids[1] = 3;
      call.attributes[grad::kVocabOffset] = 20;
      call.attributes[grad::kVocabTotal] = 100;
    }
    OnDevice there(call, 1);
    REQUIRE(run(call).ok());
    REQUIRE(there.run().ok());
    check_close(there.matrix(there.call.outputs[grad::kGradLogits]), host.grad_logits, 1e-5);
    check_close(there.matrix(there.call.outputs[grad::kGradMaskedLogits]), host.grad_masked_logits,
                1e-5);

    // A gradient that accumulates is not ours to clear.
    shim::fail_next("cudaLaunchKernelExC", cudaErrorInvalidConfiguration);
    CHECK_FALSE(there.run().ok());
    const std::vector<float> after = there.matrix(there.call.outputs[grad::kGradLogits]);
    if (accumulate) {
      check_close(after, host.grad_logits, 1e-5);
    } else {
      check_zeros(after);
    }

    call.outputs[grad::kGradLogits] = {};
    call.outputs[grad::kGradMaskedLogits] = {};
    const std::size_t kernels = shim::kernels_run();
    CHECK(OnDevice(call, 1).run().ok());
    CHECK(shim::kernels_run() == kernels);
  }
}

TEST_CASE("states of a shard on a device are those of the CPU once they are finished") {
  const FreshMachine machine;
  HostLoss host;
  constexpr std::size_t kOffset = 100;
  for (std::int32_t& id : host.token_ids) id += 95;
  std::vector<double> states(kStateCount * kRows);
  OpCall call;
  call.spec = &partial::kSpec;
  call.rows = kRows;
  call.vocab = kVocab;
  call.inputs[partial::kLogits] = host.call.inputs[loss::kLogits];
  call.inputs[partial::kMaskedLogits] = host.call.inputs[loss::kMaskedLogits];
  call.inputs[partial::kTokenIds] = host.call.inputs[loss::kTokenIds];
  call.inputs[partial::kResponseMask] = host.call.inputs[loss::kResponseMask];
  call.outputs[partial::kStates] = {states.data(), kStateCount, kRows, kRows, DType::float64, {}};
  call.attributes[partial::kTemperature] = 0.7;
  call.attributes[partial::kVocabOffset] = kOffset;
  call.attributes[partial::kVocabTotal] = 200;
  OnDevice there(call, 1);
  REQUIRE(run(call).ok());
  const Status status = there.run();
  REQUIRE_MESSAGE(status.ok(), status.message());
  for (std::size_t row = 0; row < kRows; ++row) {
    CAPTURE(row);
    if (host.mask[row] == 0) continue;
    const RowState expected = load_state(states.data(), kRows, row);
    const RowState received = load_state(there.lines(partial::kStates).data(), kRows, row);
    CHECK(received.chosen_p == expected.chosen_p);
    CHECK(received.chosen_q == expected.chosen_q);
    const TokenStatistics here = finish(expected, true, 1 / 0.7F);
    const TokenStatistics there_too = finish(received, true, 1 / 0.7F);
    CHECK(there_too.log_sum_exp == doctest::Approx(here.log_sum_exp).epsilon(1e-6));
    CHECK(there_too.masked_entropy == doctest::Approx(here.masked_entropy).epsilon(1e-6));
    CHECK(there_too.kl == doctest::Approx(here.kl).epsilon(1e-6));
  }

  // Whether a state can be used is for those who finish it.
  host.logits[2 * kPitch] = NAN;
  const OnDevice unusable(call, 1);
  REQUIRE(unusable.run().ok());
  const std::vector<double>& lines = unusable.lines(partial::kStates);
  CHECK_FALSE(usable(load_state(lines.data(), kRows, 2), true));
  CHECK(usable(load_state(lines.data(), kRows, 4), true));
}

TEST_CASE("an op goes in the order of the stream it is given, and has finished when it returns") {
  const FreshMachine machine;
  HostLoss host;
  OnDevice there(host.call, 1);
  HostLoss other(3);
  const OnDevice later(other.call, 1);
  StreamPtr stream;
  REQUIRE(create_stream("test", 1, stream).ok());
  const auto handle = static_cast<cudaStream_t>(stream->handle());
  there.call.stream = handle;
  // The logits that count are still on their way when the op is called.
  REQUIRE(cudaMemcpyAsync(there.call.inputs[loss::kLogits].data,
                          later.call.inputs[loss::kLogits].data, host.logits.size() * sizeof(float),
                          cudaMemcpyDeviceToDevice, handle) == cudaSuccess);
  host.logits = other.logits;
  host.call.inputs[loss::kLogits].data = host.logits.data();
  REQUIRE(host.run().ok());
  REQUIRE(there.run().ok());
  check_close(there.lines(loss::kStatistics), host.statistics, 1e-6);
  CHECK(cudaStreamQuery(handle) == cudaSuccess);
  check_close(there.matrix(there.call.outputs[loss::kGradLogits]), host.grad_logits, 1e-6);
}

TEST_CASE("a call leaves nothing behind but its blocks, and the thread's own device") {
  const FreshMachine machine;
  HostLoss host;
  const OnDevice there(host.call, 1);
  REQUIRE(cudaSetDevice(0) == cudaSuccess);
  REQUIRE(there.run().ok());
  const shim::Live before = shim::live();
  const std::size_t kept = kept_bytes(1);
  for (int i = 0; i < 5; ++i) REQUIRE(there.run().ok());
  CHECK(shim::live().device_bytes == before.device_bytes);
  CHECK(shim::live().pinned_bytes == before.pinned_bytes);
  CHECK(shim::live().events == before.events);
  CHECK(kept_bytes(1) == kept);
  int device = -1;
  REQUIRE(cudaGetDevice(&device) == cudaSuccess);
  CHECK(device == 0);
}
