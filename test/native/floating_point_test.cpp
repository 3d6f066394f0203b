// Another addon's floating-point settings, in the calling thread or in the pool's: they change no bit and are given back.
#include <cfenv>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "core/floating_point.hpp"
#include "cpu/backend.hpp"
#include "cpu/parallel.hpp"
#include "ops/papo_loss.hpp"
#include "ops/registry.hpp"
#include "ops/token_stats_finish.hpp"
#include "ops/token_stats_grad.hpp"
#include "ops/token_stats_merge.hpp"
#include "ops/token_stats_partial.hpp"

using namespace papo;

namespace {

/// The thread's control register: rounding, flushing, traps, and the flags of what has happened.
std::uint64_t control() {
#if defined(__x86_64__)
  return _mm_getcsr();
#elif defined(__aarch64__)
  std::uint64_t value = 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
#else
  return static_cast<std::uint64_t>(std::fegetround());
#endif
}

struct Setting {
  const char* name;
  void (*enter)();
};

/// What an addon may leave behind in a thread.
const Setting kSettings[] = {
    {"round upward", [] { std::fesetround(FE_UPWARD); }},
    {"round downward", [] { std::fesetround(FE_DOWNWARD); }},
    {"round toward zero", [] { std::fesetround(FE_TOWARDZERO); }},
#if defined(__x86_64__)
    {"flush subnormals", [] { _mm_setcsr(0x1F80 | 0x8040); }},
    {"flush and round upward", [] { _mm_setcsr(0x1F80 | 0x8040 | 0x4000); }},
    {"trap on everything", [] { _mm_setcsr(0); }},
#elif defined(__aarch64__)
    {"flush subnormals", [] { __asm__ volatile("msr fpcr, %0"
                                               :
                                               : "r"(std::uint64_t{1} << 24)); }},
    {"default NaN, other halves",
     [] {
       __asm__ volatile("msr fpcr, %0" : : "r"(std::uint64_t{3} << 25));
     }},
#endif
};

/// Every op that computes, on made-up rows that take the pool several blocks; subnormal logits and far tails among them.
class Calls {
 public:
  Calls() {
    REQUIRE(cpu::register_cpu_kernels(registry_).ok());
    for (std::size_t i = 0; i < kRows * kVocab; ++i) {
      const double wave = std::sin(0.37 * static_cast<double>(i % 100003) + 1);
      logits_.push_back(static_cast<float>(i % 5 == 0 ? 1e-40 * wave : 12 * wave));
      masked_.push_back(static_cast<float>(i % 7 == 0 ? -60 + wave : 11 * wave));
    }
    // Nothing is computed later: with traps on, an inexact number outside of an op ends the process.
    for (std::size_t i = 0; i < 6 * kRows; ++i)
      cotangents_.push_back(1.0 / (7.0 + static_cast<double>(i)));
    for (std::size_t row = 0; row < kRows; ++row) {
      const double wave = std::sin(static_cast<double>(row) + 0.5);
      ids_.push_back(static_cast<std::int32_t>(row * 131 % kVocab));
      old_.push_back(-9 + wave);
      ref_.push_back(-9 - 0.3 * wave);
      advantages_.push_back(wave);
      weights_.push_back(1.0 / 3 + wave);
    }
  }

  /// The bits of everything that the ops write.
  std::string bits() {
    std::vector<double> statistics(8 * kRows), terms(12 * kRows), finished(8 * kRows), states[3];
    std::vector<float> grads[4];
    for (auto& grad : grads) grad.resize(kRows * kVocab);
    {
      namespace op = papo_loss;
      OpCall call = over(op::kSpec);
      call.inputs[op::kLogits] = matrix(logits_);
      call.inputs[op::kMaskedLogits] = matrix(masked_);
      call.inputs[op::kTokenIds] = ids();
      call.inputs[op::kOldLogProbs] = row(old_);
      call.inputs[op::kRefLogProbs] = row(ref_);
      call.inputs[op::kAdvantages] = row(advantages_);
      call.inputs[op::kWeights] = call.inputs[op::kEntropyWeights] = row(weights_);
      call.outputs[op::kStatistics] = lines(statistics);
      call.outputs[op::kTerms] = lines(terms);
      call.outputs[op::kGradLogits] = matrix(grads[0]);
      call.outputs[op::kGradMaskedLogits] = matrix(grads[1]);
      call.attributes[op::kTemperature] = 0.7;
      call.attributes[op::kGradScale] = 1.1;
      using namespace token_objective_op;
      call.attributes[kRefKlCoef] = 0.01;
      call.attributes[kPerceptionKlCoef] = 0.02;
      call.attributes[kPerceptionKlEstimator] = static_cast<double>(KlEstimator::jsd);
      call.attributes[kEntropyCoef] = call.attributes[kMaskedEntropyCoef] = 0.03;
      call.attributes[kEntropyEstimator] = static_cast<double>(EntropyEstimator::exact);
      call.attributes[kMaskedBranch] = 1;
      run(call);
    }
    {
      namespace op = token_stats_grad;
      OpCall call = over(op::kSpec);
      call.inputs[op::kLogits] = matrix(logits_);
      call.inputs[op::kMaskedLogits] = matrix(masked_);
      call.inputs[op::kTokenIds] = ids();
      call.inputs[op::kStatistics] = lines(statistics);
      call.inputs[op::kCotangents] = lines(cotangents_);
      call.outputs[op::kGradLogits] = matrix(grads[2]);
      call.outputs[op::kGradMaskedLogits] = matrix(grads[3]);
      call.attributes[op::kTemperature] = 0.7;
      run(call);
    }
    for (std::size_t half = 0; half < 2; ++half) {
      namespace op = token_stats_partial;
      states[half].resize(12 * kRows);
      OpCall call = over(op::kSpec);
      call.vocab = kVocab / 2;
      call.inputs[op::kLogits] = matrix(logits_, half);
      call.inputs[op::kMaskedLogits] = matrix(masked_, half);
      call.inputs[op::kTokenIds] = ids();
      call.outputs[op::kStates] = lines(states[half]);
      call.attributes[op::kTemperature] = 0.7;
      call.attributes[op::kVocabTotal] = kVocab;
      call.attributes[op::kVocabOffset] = static_cast<double>(half * (kVocab / 2));
      run(call);
    }
    {
      namespace op = token_stats_merge;
      states[2].resize(12 * kRows);
      OpCall call = over(op::kSpec);
      call.inputs[op::kStates] = lines(states[0]);
      call.inputs[op::kOtherStates] = lines(states[1]);
      call.outputs[op::kMergedStates] = lines(states[2]);
      run(call);
    }
    {
      namespace op = token_stats_finish;
      OpCall call = over(op::kSpec);
      call.inputs[op::kStates] = lines(states[2]);
      call.outputs[op::kStatistics] = lines(finished);
      call.attributes[op::kTemperature] = 0.7;
      call.attributes[op::kHasMasked] = 1;
      run(call);
    }
    std::string result;
    for (const auto* each : {&statistics, &terms, &finished, &states[2]}) append(result, *each);
    for (const auto& each : grads) append(result, each);
    return result;
  }

 private:
  static constexpr std::size_t kRows = 48;
  static constexpr std::size_t kVocab = 8192;

  static OpCall over(const OpSpec& spec) {
    OpCall call;
    call.spec = &spec;
    call.rows = kRows;
    call.vocab = kVocab;
    for (std::size_t i = 0; i < spec.attributes.size; ++i) {
      call.attributes[i] = spec.attributes[i].initial;
    }
    return call;
  }
  static TensorView matrix(std::vector<float>& data) {
    return {data.data(), kRows, kVocab, kVocab, DType::float32, {}};
  }
  static TensorView matrix(std::vector<float>& data, std::size_t half) {
    return {data.data() + half * (kVocab / 2), kRows, kVocab / 2, kVocab, DType::float32, {}};
  }
  static TensorView row(std::vector<double>& data) {
    return {data.data(), kRows, 1, 1, DType::float64, {}};
  }
  static TensorView lines(std::vector<double>& data) {
    return {data.data(), data.size() / kRows, kRows, kRows, DType::float64, {}};
  }
  TensorView ids() { return {ids_.data(), kRows, 1, 1, DType::int32, {}}; }

  void run(const OpCall& call) {
    const Status status = registry_.run(*registry_.find(call.spec->name), call);
    REQUIRE_MESSAGE(status.ok(), status.message());
  }

  template <typename T>
  static void append(std::string& bits, const std::vector<T>& values) {
    bits.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }

  Registry registry_;
  std::vector<float> logits_, masked_;
  std::vector<std::int32_t> ids_;
  std::vector<double> old_, ref_, advantages_, weights_, cotangents_;
};

/// Both in a thread that `enter` has spoilt: the bits, and whether the thread has its settings back.
void spoilt(const Setting& setting, const std::function<void()>& work, bool& restored) {
  std::thread([&] {
    setting.enter();
    const std::uint64_t before = control();
    work();
    restored = control() == before;
  }).join();
}

}  // namespace

TEST_CASE("no setting of the calling thread changes a bit of any op, and each is given back") {
  cpu::configure_threads(3);
  Calls calls;
  const std::string expected = calls.bits();
  for (const Setting& setting : kSettings) {
    CAPTURE(setting.name);
    std::string bits;
    bool restored = false;
    spoilt(setting, [&] { bits = calls.bits(); }, restored);
    CHECK(bits == expected);
    CHECK(restored);
  }
}

TEST_CASE("threads of the pool that are born under another addon's settings compute the same") {
  // The pool starts its threads at the first call that shares its rows: they inherit what that thread has.
  cpu::configure_threads(3);
  Calls calls;
  std::string bits;
  bool restored = false;
  spoilt(kSettings[0], [&] { bits = calls.bits(); }, restored);
  CHECK(restored);
  CHECK(calls.bits() == bits);
}

TEST_CASE("the settings are real: the same division outside of an op rounds otherwise under each") {
  double thirds[3] = {};
  for (int i = 0; i < 3; ++i) {
    bool restored = false;
    spoilt(
        kSettings[i],
        [&] {
          const volatile double one = 1, minus_three = -3;
          thirds[i] = one / minus_three;
        },
        restored);
  }
  CHECK(thirds[0] > thirds[1]);
  CHECK(thirds[2] == thirds[0]);
}
