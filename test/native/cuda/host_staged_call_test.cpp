// The [rows] numbers of a call: up in one block, down in one block, in as many rounds as it takes.
#include <cuda_runtime.h>

#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/staged_call.hpp"
#include "cuda/stream.hpp"
#include "host_machine.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

/// A call of some op with so many rows, whose logits are on cuda:1; nobody reads them.
OpCall call_of(std::size_t rows) {
  OpCall call;
  call.rows = rows;
  call.vocab = 4;
  call.inputs[0].device = {DeviceKind::cuda, 1};
  return call;
}

/// One input and one output of two lines each, and an op whose kernel copies the one to the other.
struct Copied {
  OpCall call;
  std::vector<double> from;
  std::vector<double> to;
  std::vector<std::int32_t> ids;
  StagedCall staged;
  Staged<const double> staged_from;
  Staged<double> staged_to;
  Staged<const std::int32_t> staged_ids;
  std::vector<std::size_t> rounds;  ///< the rows of each

  explicit Copied(std::size_t rows, std::size_t most_bytes = kMostStagedBytes)
      : call(call_of(rows)),
        from(2 * rows),
        to(2 * rows, -1),
        ids(rows),
        staged("copied", call, most_bytes) {
    std::iota(from.begin(), from.end(), 1.0);
    std::iota(ids.begin(), ids.end(), 1);
    staged_from = staged.reads(static_cast<const double*>(from.data()), 2);
    staged_to = staged.writes(to.data(), 2);
    staged_ids = staged.reads(static_cast<const std::int32_t*>(ids.data()));
  }

  Status launch(StagedRows& rows) {
    rounds.push_back(rows.rows());
    return rows.launched(cudaMemcpyAsync(rows.at(staged_to), rows.at(staged_from),
                                         2 * rows.rows() * sizeof(double), cudaMemcpyDeviceToDevice,
                                         rows.stream()));
  }
  Status run() {
    return staged.run([this](StagedRows& rows) { return launch(rows); });
  }
};

/// What a kernel leaves when a row fails.
unsigned long long row_error(std::size_t row, RowErrorKind kind) {
  return row * kRowErrorKinds + static_cast<unsigned long long>(kind);
}

}  // namespace

TEST_CASE("numbers go up and come down on the call's device, and blocks are kept there") {
  const FreshMachine machine;
  Copied copied(5);
  REQUIRE(copied.run().ok());
  CHECK(copied.to == copied.from);
  CHECK(copied.rounds == std::vector<std::size_t>{5});
  CHECK(kept_bytes(1) > 0);
  CHECK(kept_bytes(0) == 0);
}

TEST_CASE("a call of very many rows takes several rounds, the last of them shorter") {
  const FreshMachine machine;
  // 36 bytes per row, and one for luck.
  Copied copied(1000, 37 * 300);
  REQUIRE(copied.run().ok());
  CHECK(copied.to == copied.from);
  CHECK(copied.rounds == std::vector<std::size_t>{300, 300, 300, 100});
  Copied tiny(3, 1);
  REQUIRE(tiny.run().ok());
  CHECK(tiny.to == tiny.from);
  CHECK(tiny.rounds == std::vector<std::size_t>{1, 1, 1});
}

TEST_CASE("a million rows stay within the bound of a round") {
  const FreshMachine machine(std::size_t{256} << 20);
  constexpr std::size_t kRows = 1000001;
  Copied copied(kRows);
  REQUIRE(copied.run().ok());
  CHECK(copied.to == copied.from);
  REQUIRE(copied.rounds.size() == 2);
  CHECK(kept_bytes(1) <= 2 * kMostStagedBytes);
}

TEST_CASE("one copy goes up and one comes down") {
  const FreshMachine machine;
  for (const unsigned nth : {1U, 2U, 3U}) {
    CAPTURE(nth);
    shim::fail_next("cudaMemcpyAsync", cudaErrorInvalidValue, nth);
    Copied copied(3);
    const Status status = copied.run();
    const char* const deeds[] = {"take the rows' numbers", "launch its kernel",
                                 "give back the rows' numbers"};
    CHECK(status.message() == "[copied] expected cuda:1 to " + std::string(deeds[nth - 1]) +
                                  ", received cudaErrorInvalidValue (invalid argument)");
    CHECK(copied.to == std::vector<double>(6, -1));
    CHECK(cudaGetLastError() == cudaSuccess);
  }
  shim::fail_next("cudaMemcpyAsync", cudaErrorInvalidValue, 4);
  Copied copied(3);
  CHECK(copied.run().ok());
}

TEST_CASE("the last byte goes up and comes down where nothing follows it in the block") {
  const FreshMachine machine;
  Copied copied(16);
  REQUIRE(copied.run().ok());
  CHECK(copied.to == copied.from);
}

TEST_CASE("a call has waited for the device when it returns, whatever kept it from waiting well") {
  const FreshMachine machine;
  StreamPtr stream;
  REQUIRE(create_stream("test", 1, stream).ok());
  const auto handle = static_cast<cudaStream_t>(stream->handle());
  shim::fail_next("cudaEventCreateWithFlags", cudaErrorMemoryAllocation);
  Copied eventless(5);
  eventless.call.stream = handle;
  CHECK(eventless.run().ok());
  CHECK(eventless.to == eventless.from);

  shim::fail_next("cudaEventRecord", cudaErrorNotSupported);
  Copied unrecorded(5);
  unrecorded.call.stream = handle;
  CHECK(unrecorded.run().code() == Code::cuda);
  CHECK(cudaStreamQuery(handle) == cudaSuccess);
}

TEST_CASE("no rows are no work") {
  const FreshMachine machine;
  Copied copied(0);
  CHECK(copied.run().ok());
  CHECK(copied.rounds.empty());
  CHECK(shim::live().device_allocations == 0);
}

TEST_CASE("absent arrays are absent on the device") {
  const FreshMachine machine;
  OpCall call = call_of(2);
  StagedCall staged("test", call);
  const auto nothing = staged.reads(static_cast<const double*>(nullptr));
  CHECK_FALSE(nothing.present());
  CHECK(staged
            .run([&](StagedRows& rows) {
              CHECK(rows.at(nothing) == nullptr);
              return Status();
            })
            .ok());
}

TEST_CASE("views of a round begin at its first row") {
  const FreshMachine machine;
  OpCall call = call_of(5);
  std::vector<std::int32_t> ids(5);
  StagedCall staged("test", call, 2 * 5);
  const auto staged_ids = staged.reads(static_cast<const std::int32_t*>(ids.data()));
  const auto address = [](std::uintptr_t value) { return reinterpret_cast<void*>(value); };
  const TensorView logits = {address(0x1000), 5, 4, 6, DType::bfloat16, {}};
  const TensorView masked = {address(0x2000), 5, 4, 8, DType::bfloat16, {}};
  const TensorView grad = {address(0x3000), 5, 4, 5, DType::bfloat16, {}};
  std::size_t expected_begin = 0;
  REQUIRE(staged
              .run([&](StagedRows& rows) {
                CHECK(rows.begin() == expected_begin);
                const RowPairs pairs = rows.row_pairs(logits, masked, staged_ids, {});
                CHECK(pairs.dtype == DType::bfloat16);
                CHECK(pairs.logits == address(0x1000 + 12 * expected_begin));
                CHECK(pairs.masked_logits == address(0x2000 + 16 * expected_begin));
                CHECK(pairs.row_pitch == 6);
                CHECK(pairs.masked_row_pitch == 8);
                CHECK(pairs.rows == static_cast<std::int64_t>(rows.rows()));
                CHECK(pairs.vocab == 4);
                CHECK(pairs.token_ids == rows.at(staged_ids));
                CHECK(pairs.mask == nullptr);
                Gradients gradients = rows.gradients({}, grad);
                CHECK(gradients.dtype == DType::bfloat16);
                CHECK(gradients.grad_logits == nullptr);
                CHECK(gradients.grad_masked_logits == address(0x3000 + 10 * expected_begin));
                CHECK(gradients.masked_row_pitch == 5);
                CHECK(rows.machine().device == 1);
                expected_begin += rows.rows();
                return Status();
              })
              .ok());
  CHECK(expected_begin == 5);
}

TEST_CASE("the first row that failed is named in the words of the CPU, counted over all rounds") {
  const FreshMachine machine;
  const struct {
    RowErrorKind kind;
    const char* sentence;
  } kinds[] = {
      {RowErrorKind::logits_empty,
       "row 7 of logits to hold finite logits (or -Infinity beside them), received only -Infinity"},
      {RowErrorKind::logits_not_finite,
       "row 7 of logits to hold finite logits (or -Infinity beside them), received NaN or "
       "Infinity"},
      {RowErrorKind::masked_empty,
       "row 7 of maskedLogits to hold finite logits (or -Infinity beside them), received only "
       "-Infinity"},
      {RowErrorKind::masked_not_finite,
       "row 7 of maskedLogits to hold finite logits (or -Infinity beside them), received NaN or "
       "Infinity"},
      {RowErrorKind::infinite_kl,
       "exactKlLimit to be set where an exact KL enters the loss, received an infinite KL at row 7 "
       "and no limit"},
  };
  for (const auto& kind : kinds) {
    Copied copied(10, 37 * 4);
    const unsigned long long error = row_error(3, kind.kind);
    const Status status = copied.staged.run([&](StagedRows& rows) {
      Status launched = copied.launch(rows);
      if (!launched.ok() || rows.begin() != 4) return launched;
      return rows.launched(cudaMemcpyAsync(rows.row_pairs({}, {}, copied.staged_ids, {}).row_error,
                                           &error, sizeof error, cudaMemcpyHostToDevice,
                                           rows.stream()));
    });
    CHECK(status.code() == Code::not_finite);
    CHECK(status.row() == 7);
    CHECK(status.message() == "[copied] expected " + std::string(kind.sentence));
    CHECK(copied.rounds == std::vector<std::size_t>{4, 4});
    CHECK(copied.to[3] == copied.from[3]);
    CHECK(copied.to[4] == -1);
  }
  Copied copied(1);
  const unsigned long long unknown = 6;
  const Status status = copied.staged.run([&](StagedRows& rows) {
    return rows.launched(cudaMemcpyAsync(rows.row_pairs({}, {}, copied.staged_ids, {}).row_error,
                                         &unknown, sizeof unknown, cudaMemcpyHostToDevice,
                                         rows.stream()));
  });
  CHECK(status.code() == Code::internal);
}

TEST_CASE("rounds go in the order of the call's stream") {
  const FreshMachine machine;
  StreamPtr stream;
  REQUIRE(create_stream("test", 1, stream).ok());
  Copied copied(5);
  copied.call.stream = stream->handle();
  REQUIRE(copied.staged
              .run([&](StagedRows& rows) {
                CHECK(rows.stream() == static_cast<cudaStream_t>(stream->handle()));
                return copied.launch(rows);
              })
              .ok());
  CHECK(copied.to == copied.from);
}

TEST_CASE("cancellation is looked at before every round") {
  const FreshMachine machine;
  Copied copied(4, 37);
  std::int32_t flag = 0;
  copied.call.cancellation.flag = &flag;
  const Status status = copied.staged.run([&](StagedRows& rows) {
    if (rows.begin() == 1) flag = 1;
    return copied.launch(rows);
  });
  CHECK(status.code() == Code::aborted);
  CHECK(copied.rounds.size() == 2);
}

TEST_CASE("blocks that the device broke over are not kept") {
  const FreshMachine machine;
  Copied copied(5);
  shim::fail_next("cudaEventSynchronize", cudaErrorLaunchFailure);
  const Status status = copied.run();
  CHECK(status.code() == Code::cuda);
  CHECK(status.message() ==
        "[copied] expected cuda:1 to finish, received cudaErrorLaunchFailure (unspecified launch "
        "failure); CUDA works again only in a new process");
  CHECK(copied.to == std::vector<double>(10, -1));
  CHECK(kept_bytes(1) == 0);
}

TEST_CASE("a device that is not there is refused before anything else") {
  const FreshMachine machine;
  Copied copied(5);
  copied.call.inputs[0].device.index = 2;
  const Status status = copied.run();
  CHECK(status.code() == Code::device_unavailable);
  CHECK(status.message() == "[copied] cuda:2 is not available: the devices are cuda:0 to cuda:1");
  CHECK(copied.rounds.empty());
}

TEST_CASE("a device without memory for a context says so") {
  const FreshMachine machine;
  shim::fail_next("cudaSetDevice", cudaErrorMemoryAllocation);
  Copied copied(5);
  const Status status = copied.run();
  CHECK(status.code() == Code::out_of_memory);
  CHECK(status.message() ==
        "[copied] expected cuda:1 to be made current, received cudaErrorMemoryAllocation (out of "
        "memory)");
  CHECK(copied.run().ok());
}
