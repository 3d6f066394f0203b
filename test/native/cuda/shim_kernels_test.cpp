// Faults planted in the engine's own kernels, at every place where they wait, meet, copy or send: each must be noticed.
//
// The sources stay as they are; the shim leaves out the call of one line, or makes its byte count wrong. A fault counts
// as noticed if the result changes by a bit, the shim reports something, or a sanitizer ends the process.
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/dtype.hpp"
#include "core/half.hpp"
#include "cuda/kernels.hpp"
#include "cuda/probe.hpp"
#include "cuda/shim_array.hpp"
#include "shim/policy.hpp"
#include "shim/races.hpp"
#include "shim/report.hpp"
#include "shim/shim.hpp"
#include "shim/verdict.hpp"

using namespace papo;
using shim::DeviceArray;
using shim::Fault;

namespace {

/// One launch of one op: what it is given is the same each time.
struct Case {
  const char* name;
  const char* device;
  bool masked;
  std::int64_t rows;
  std::int64_t vocab;
  /// Shared memory of a block, and the L2: so little that short rows take several blocks, and several rounds of teams.
  std::size_t shared_bytes;
  std::size_t l2_bytes;
};

/// Device memory of one launch, and the host's copy of all that it writes.
struct Rows {
  explicit Rows(const Case& one)
      : count(static_cast<std::size_t>(one.rows)),
        vocab(static_cast<std::size_t>(one.vocab)),
        logits(numbers(count * vocab, 1)),
        masked_logits(near(count, vocab)),
        token_ids(ids()),
        mask(counted()),
        ones(std::vector<double>(count, 1.0)),
        cotangents(std::vector<double>(6 * count, 0.5)),
        statistics(8 * count),
        terms(12 * count),
        grad_logits(count * vocab),
        grad_masked_logits(count * vocab),
        row_error(std::vector<unsigned long long>(1, cuda::kNoRowError)) {}

  static std::vector<BFloat16> numbers(std::size_t size, std::uint64_t seed) {
    shim::Random random(seed);
    std::vector<BFloat16> values(size);
    for (BFloat16& value : values) {
      from_float(static_cast<float>(random.below(4000)) / 500.0F - 4.0F, value);
    }
    return values;
  }

  /// Every other row hardly differs from the policy's, so that its KL is refined.
  static std::vector<BFloat16> near(std::size_t rows, std::size_t vocab) {
    std::vector<BFloat16> values = numbers(rows * vocab, 1);
    const std::vector<BFloat16> others = numbers(rows * vocab, 2);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i / vocab % 2 == 1) values[i] = others[i];
      if (i % 97 == 0) values[i].bits ^= 1;
    }
    return values;
  }

  std::vector<std::int32_t> ids() const {
    std::vector<std::int32_t> values(count);
    for (std::size_t row = 0; row < count; ++row) {
      values[row] = static_cast<std::int32_t>((row * 7919 + vocab - 1) % vocab);
    }
    return values;
  }

  std::vector<std::int32_t> counted() const {
    std::vector<std::int32_t> values(count, 1);
    values[count / 2] = 0;
    return values;
  }

  cuda::RowPairs pairs(bool masked) const {
    cuda::RowPairs result;
    result.dtype = DType::bfloat16;
    result.logits = logits.data();
    result.masked_logits = masked ? masked_logits.data() : nullptr;
    result.row_pitch = result.masked_row_pitch = static_cast<std::int64_t>(vocab);
    result.rows = static_cast<std::int64_t>(count);
    result.vocab = static_cast<std::int64_t>(vocab);
    result.token_ids = token_ids.data();
    result.mask = mask.data();
    result.row_error = row_error.data();
    return result;
  }

  cuda::Gradients gradients(bool masked) const {
    cuda::Gradients result;
    result.dtype = DType::bfloat16;
    result.grad_logits = grad_logits.data();
    result.grad_masked_logits = masked ? grad_masked_logits.data() : nullptr;
    result.row_pitch = result.masked_row_pitch = static_cast<std::int64_t>(vocab);
    return result;
  }

  /// Everything that was written, in one row of bytes; empty if waiting for it failed.
  std::string written() const {
    std::string bytes;
    const auto add = [&](const auto& values) {
      bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
    };
    if (cudaDeviceSynchronize() != cudaSuccess) return {};
    add(statistics.read());
    add(terms.read());
    add(grad_logits.read());
    add(grad_masked_logits.read());
    add(row_error.read());
    return bytes;
  }

  std::size_t count, vocab;
  DeviceArray<BFloat16> logits, masked_logits;
  DeviceArray<std::int32_t> token_ids, mask;
  DeviceArray<double> ones, cotangents, statistics, terms;
  DeviceArray<BFloat16> grad_logits, grad_masked_logits;
  DeviceArray<unsigned long long> row_error;
};

cudaError_t launch_papo_loss(const cuda::Machine& machine, const Case& one, const Rows& rows) {
  cuda::PapoLossArgs args;
  args.pairs = rows.pairs(one.masked);
  args.gradients = rows.gradients(one.masked);
  args.old_log_probs = nullptr;
  args.advantages = args.weights = args.entropy_weights = rows.ones.data();
  args.statistics = rows.statistics.data();
  args.terms = rows.terms.data();
  args.objective.perception_kl_coef = one.masked ? 0.01 : 0;
  args.objective.perception_kl_estimator = KlEstimator::exact;
  args.objective.masked_differentiable = one.masked;
  args.objective.entropy_coef = 0.03;
  args.objective.entropy_estimator = EntropyEstimator::exact;
  const std::size_t bytes = cuda::scratch_bytes(machine, args);
  const DeviceArray<char> scratch(bytes);
  const cudaError_t error = cuda::launch_papo_loss(machine, args, {scratch.data(), bytes}, nullptr);
  cudaDeviceSynchronize();
  return error;
}

cudaError_t launch_token_stats(const cuda::Machine& machine, const Case& one, const Rows& rows) {
  cuda::TokenStatsArgs args;
  args.pairs = rows.pairs(one.masked);
  args.statistics = rows.statistics.data();
  const std::size_t bytes = cuda::scratch_bytes(machine, args);
  const DeviceArray<char> scratch(bytes);
  const cudaError_t error =
      cuda::launch_token_stats(machine, args, {scratch.data(), bytes}, nullptr);
  cudaDeviceSynchronize();
  return error;
}

cudaError_t launch_token_stats_grad(const cuda::Machine& machine, const Case& one,
                                    const Rows& rows) {
  const cudaError_t error = launch_token_stats(machine, one, rows);
  if (error != cudaSuccess) return error;
  cuda::TokenStatsGradArgs args;
  args.pairs = rows.pairs(one.masked);
  args.gradients = rows.gradients(one.masked);
  args.statistics = rows.statistics.data();
  args.cotangents = rows.cotangents.data();
  return cuda::launch_token_stats_grad(machine, args, nullptr);
}

using Launch = cudaError_t (*)(const cuda::Machine&, const Case&, const Rows&);

/// What the launch writes on a fresh machine; empty if anything is wrong with it.
std::string result_of(const Case& one, Launch launch) {
  shim::Settings settings;
  settings.device = one.device;
  // Few, so that a cooperative grid stays small.
  settings.multiprocessors = 4;
  const std::uint64_t seed = shim::current_seed();
  shim::restart(settings);
  shim::set_seed(seed);
  const cuda::Found found = cuda::probe();
  if (found.machines.empty()) return {};
  cuda::Machine machine = found.machines[0];
  machine.shared_per_block = one.shared_bytes;
  machine.l2_bytes = one.l2_bytes;
  cudaSetDevice(0);
  const Rows rows(one);
  if (launch(machine, one, rows) != cudaSuccess) return {};
  return rows.written();
}

/// A launch on one machine that goes through some lines of the kernels.
struct Run {
  Case one;
  Launch launch;
};

/// The one barrier that orders nothing: it makes nvcc read the statistics again instead of keeping them in registers
/// (66 bytes of spills without it on sm_120).
constexpr const char* kForRegisters = "sync_warp at papo_loss.cu:";

/// Tries each fault on every run that comes by its line, until one notices: a barrier that one kernel could do without
/// may be what another one needs.
void every_fault_is_noticed(const std::vector<Run>& runs, std::size_t fewest_faults) {
  std::map<std::string, bool> noticed;
  for (const Run& run : runs) {
    CAPTURE(run.one.name);
    shim::set_seed(0);
    const std::string expected = result_of(run.one, run.launch);
    REQUIRE_FALSE(expected.empty());
    const auto passes = [&] { return result_of(run.one, run.launch) == expected; };
    CHECK(shim::survives(passes, nullptr, 0, 8));
    for (const Fault& fault : shim::kernel_faults_of(passes)) {
      bool& seen = noticed[shim::name_of(fault)];
      seen = seen || !shim::survives(passes, &fault, 0, 4);
    }
  }
  CHECK(noticed.size() >= fewest_faults);
  int for_registers = 0;
  for (const auto& [fault, seen] : noticed) {
    CAPTURE(fault);
    const bool in_warp = fault.rfind("sync_warp", 0) == 0;
    if (fault.rfind(kForRegisters, 0) == 0) {
      ++for_registers;
    } else if (shim::RaceWatch::kOn || !in_warp) {
      // Lanes of a warp meet so often that a schedule alone seldom drives them far enough apart.
      CHECK(seen);
    }
  }
  CHECK(for_registers == 1);
  shim::restart();
}

}  // namespace

// Four blocks per row of 24 KiB (and one of as much): more than a chunk each, and three rows at a time.
constexpr std::size_t kShared = 16 << 10;
constexpr std::size_t kL2 = 200 << 10;

TEST_CASE("shim: every fault planted in the engine's kernels is noticed") {
  every_fault_is_noticed(
      {{{"papo_loss, resident", "h200", true, 4, 12288, kShared, kL2}, launch_papo_loss},
       {{"papo_loss, streaming", "a100", true, 7, 12291, kShared, kL2}, launch_papo_loss},
       {{"token_stats, resident", "h200", true, 4, 12288, kShared, kL2}, launch_token_stats},
       {{"token_stats, streaming", "a100", true, 7, 12291, kShared, kL2}, launch_token_stats},
       {{"token_stats_grad", "h200", true, 4, 1031, kShared, kL2}, launch_token_stats_grad}},
      40);
}
