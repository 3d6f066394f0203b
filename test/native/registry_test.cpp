// The last safety check: what a kernel relies on is refused before it runs.
#include <vector>

#include <doctest/doctest.h>

#include "cpu/backend.hpp"
#include "ops/registry.hpp"
#include "ops/token_stats_grad.hpp"

using namespace papo;

namespace {

/// A sound call of token_stats_grad over its own memory, to be spoiled.
struct SoundCall {
  Registry registry;
  std::vector<float> logits = std::vector<float>(12, 0.5F), masked = std::vector<float>(12, 0.25F);
  std::vector<float> grad = std::vector<float>(12), grad_masked = std::vector<float>(12);
  std::vector<std::int32_t> ids = {0, 1, 3}, mask = {1, 1, 1};
  std::vector<double> statistics = std::vector<double>(24), cotangents = std::vector<double>(18);
  OpCall call;

  SoundCall() {
    REQUIRE(cpu::register_cpu_kernels(registry).ok());
    using namespace token_stats_grad;
    call.spec = &kSpec;
    call.rows = 3;
    call.vocab = 4;
    call.inputs[kLogits] = {logits.data(), 3, 4, 4, DType::float32, {}};
    call.inputs[kMaskedLogits] = {masked.data(), 3, 4, 4, DType::float32, {}};
    call.inputs[kTokenIds] = {ids.data(), 3, 1, 1, DType::int32, {}};
    call.inputs[kResponseMask] = {mask.data(), 3, 1, 1, DType::int32, {}};
    call.inputs[kStatistics] = {statistics.data(), 8, 3, 3, DType::float64, {}};
    call.inputs[kCotangents] = {cotangents.data(), 6, 3, 3, DType::float64, {}};
    call.outputs[kGradLogits] = {grad.data(), 3, 4, 4, DType::float32, {}};
    call.outputs[kGradMaskedLogits] = {grad_masked.data(), 3, 4, 4, DType::float32, {}};
    call.attributes[kTemperature] = 1;
    call.attributes[kGradScale] = 1;
  }

  Status run() { return registry.run(*registry.find("token_stats_grad"), call); }
};

}  // namespace

TEST_CASE("a sound call runs, in place too") {
  SoundCall sound;
  CHECK(sound.run().ok());
  sound.call.outputs[token_stats_grad::kGradLogits].data = sound.logits.data();
  CHECK(sound.run().ok());
}

TEST_CASE("wrong shapes, dtypes, ids and masks are refused with the argument's name") {
  using namespace token_stats_grad;
  const auto refused = [](auto spoil, Code code, const char* name) {
    SoundCall sound;
    spoil(sound);
    const Status status = sound.run();
    CHECK(status.code() == code);
    CHECK_MESSAGE(status.message().find(name) != std::string::npos, status.message());
  };
  refused([](SoundCall& s) { s.call.inputs[kMaskedLogits].columns = 3; }, Code::shape,
          "maskedLogits [3, 4]");
  refused([](SoundCall& s) { s.call.inputs[kLogits].row_pitch = 3; }, Code::shape, "logits");
  refused([](SoundCall& s) { s.call.inputs[kTokenIds].dtype = DType::float64; }, Code::dtype,
          "tokenIds");
  refused([](SoundCall& s) { s.call.outputs[kGradLogits].dtype = DType::float16; }, Code::dtype,
          "gradLogits");
  refused([](SoundCall& s) { s.call.inputs[kStatistics] = {}; }, Code::argument, "statistics");
  refused([](SoundCall& s) { s.ids[2] = 4; }, Code::range, "tokenIds[2]");
  refused([](SoundCall& s) { s.ids[0] = -100; }, Code::range, "received -100");
  refused([](SoundCall& s) { s.mask[1] = 2; }, Code::range, "responseMask[1]");
  refused([](SoundCall& s) { s.call.attributes[kTemperature] = 0; }, Code::range, "temperature");
  refused([](SoundCall& s) { s.cotangents[4] = NAN; }, Code::not_finite, "maskedLogProbs[1]");
  refused([](SoundCall& s) { s.call.attributes[kVocabOffset] = 0.5; }, Code::range,
          "vocabOffset to be an integer");
  refused([](SoundCall& s) { s.call.attributes[kVocabOffset] = -1; }, Code::range, "vocabOffset");
  refused([](SoundCall& s) { s.call.attributes[kVocabOffset] = NAN; }, Code::range, "vocabOffset");
  refused([](SoundCall& s) { s.call.attributes[kVocabTotal] = 3; }, Code::range, "vocabTotal 3");
  refused([](SoundCall& s) { s.call.attributes[kVocabTotal] = 4294967296.0; }, Code::range,
          "vocabTotal from 0 to 2147483647");
}

TEST_CASE("ids and cotangents of rows that do not count are not looked at") {
  SoundCall sound;
  sound.mask[2] = 0;
  sound.ids[2] = -100;
  sound.cotangents[2] = NAN;
  CHECK(sound.run().ok());
}

TEST_CASE("a shard takes the ids of the whole vocabulary and of nothing beyond it") {
  using namespace token_stats_grad;
  SoundCall sound;
  sound.call.attributes[kVocabOffset] = 6;
  sound.ids = {0, 9, 3};
  CHECK(sound.run().ok());
  sound.ids[1] = 10;
  CHECK(sound.run().code() == Code::range);
  sound.call.attributes[kVocabTotal] = 11;
  CHECK(sound.run().ok());
}

TEST_CASE("memory may be shared only by a gradient and its own logits") {
  using namespace token_stats_grad;
  SoundCall crossed;
  crossed.call.outputs[kGradLogits].data = crossed.masked.data();
  CHECK(crossed.run().code() == Code::argument);
  SoundCall shifted;
  shifted.call.outputs[kGradLogits].data = shifted.logits.data() + 1;
  shifted.call.outputs[kGradLogits].rows = 3;
  CHECK(shifted.run().code() == Code::argument);
  SoundCall same;
  same.call.outputs[kGradMaskedLogits].data = same.grad.data();
  CHECK(same.run().code() == Code::argument);
}

namespace {

const Device kFirst = {DeviceKind::cuda, 0};
const Device kSecond = {DeviceKind::cuda, 1};

/// All logits and gradients on a device; nothing reads them there.
void put_on(SoundCall& sound, Device device) {
  for (TensorView* view : {&sound.call.inputs[token_stats_grad::kLogits],
                           &sound.call.inputs[token_stats_grad::kMaskedLogits],
                           &sound.call.outputs[token_stats_grad::kGradLogits],
                           &sound.call.outputs[token_stats_grad::kGradMaskedLogits]}) {
    view->device = device;
  }
}

int runs_on_a_device = 0;
Status counting_kernel(const OpCall&) {
  ++runs_on_a_device;
  return {};
}

}  // namespace

TEST_CASE("the kernel is that of the logits' device, and one that is missing is named") {
  SoundCall sound;
  put_on(sound, kSecond);
  const Status missing = sound.run();
  CHECK(missing.code() == Code::device_unavailable);
  CHECK(missing.message() == "[tokenStatsGrad] has no kernel for cuda:1");
  sound.registry.add_kernel("token_stats_grad", DeviceKind::cuda, counting_kernel);
  runs_on_a_device = 0;
  CHECK(sound.run().ok());
  CHECK(runs_on_a_device == 1);
  put_on(sound, {});
  CHECK(sound.run().ok());
  CHECK(runs_on_a_device == 1);
}

TEST_CASE("logits and gradients lie on one device, and numbers per token on the host") {
  using namespace token_stats_grad;
  const auto refusal = [](auto spoil) {
    SoundCall sound;
    put_on(sound, kFirst);
    spoil(sound.call);
    const Status status = sound.run();
    CHECK(status.code() == Code::device_mismatch);
    return status.message();
  };
  CHECK(refusal([](OpCall& call) { call.inputs[kMaskedLogits].device = {}; }) ==
        "[tokenStatsGrad] expected maskedLogits on cuda:0 like logits, received cpu");
  CHECK(refusal([](OpCall& call) { call.outputs[kGradLogits].device = kSecond; }) ==
        "[tokenStatsGrad] expected gradLogits on cuda:0 like logits, received cuda:1");
  CHECK(refusal([](OpCall& call) { call.inputs[kLogits].device = {}; }) ==
        "[tokenStatsGrad] expected maskedLogits on cpu like logits, received cuda:0");
  CHECK(refusal([](OpCall& call) { call.inputs[kTokenIds].device = kFirst; }) ==
        "[tokenStatsGrad] expected tokenIds on cpu, where numbers per token stay, received cuda:0");
  CHECK(refusal([](OpCall& call) { call.inputs[kCotangents].device = kFirst; }) ==
        "[tokenStatsGrad] expected cotangents on cpu, where numbers per token stay, received "
        "cuda:0");
}

TEST_CASE("the same address on another device is other memory") {
  using namespace token_stats_grad;
  SoundCall sound;
  sound.registry.add_kernel("token_stats_grad", DeviceKind::cuda, counting_kernel);
  put_on(sound, kFirst);
  sound.call.outputs[kGradLogits].data = sound.call.inputs[kStatistics].data;
  CHECK(sound.run().ok());
  sound.call.outputs[kGradMaskedLogits].data = sound.call.outputs[kGradLogits].data;
  CHECK(sound.run().code() == Code::argument);
}

TEST_CASE("a tensor that begins between two elements is refused before a device dies of it") {
  using namespace token_stats_grad;
  SoundCall sound;
  put_on(sound, kFirst);
  sound.call.inputs[kLogits].data = reinterpret_cast<char*>(sound.logits.data()) + 2;
  const Status status = sound.run();
  CHECK(status.code() == Code::argument);
  CHECK(status.message() ==
        "[tokenStatsGrad] expected logits to begin at a multiple of 4 bytes, received 2 past one");
}
