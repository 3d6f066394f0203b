#include "host_calls.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "cpu/backend.hpp"
#include "cuda/backend.hpp"
#include "ops/papo_loss.hpp"
#include "ops/registry.hpp"
#include "ops/token_stats.hpp"

namespace papo::cuda {

namespace {

/// Both backends' kernels.
const Registry& both_backends() {
  static const Registry registry = [] {
    Registry result;
    REQUIRE(cpu::register_cpu_kernels(result).ok());
    register_cuda_kernels(result);
    return result;
  }();
  return registry;
}

template <typename T>
void check_each(const std::vector<T>& device, const std::vector<T>& host, double tolerance) {
  REQUIRE(device.size() == host.size());
  for (std::size_t i = 0; i < host.size(); ++i) {
    CAPTURE(i);
    const double expected = static_cast<double>(host[i]);
    const double received = static_cast<double>(device[i]);
    const bool same = expected == received || (std::isnan(expected) && std::isnan(received));
    CHECK_MESSAGE((same || std::fabs(received - expected) <= tolerance * (1 + std::fabs(expected))),
                  received, " and not ", expected);
  }
}

}  // namespace

Status run(const OpCall& call) {
  return both_backends().run(*both_backends().find(call.spec->name), call);
}

HostLoss::HostLoss(unsigned seed) {
  const auto wave = [&](std::size_t i, double scale) {
    return scale * std::sin(0.37 * static_cast<double>(i * i + 1) + static_cast<double>(seed));
  };
  logits.resize(kRows * kPitch, NAN);
  masked_logits.resize(kRows * kPitch, NAN);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t column = 0; column < kVocab; ++column) {
      const std::size_t i = row * kPitch + column;
      logits[i] = static_cast<float>(wave(i, 4));
      masked_logits[i] = static_cast<float>(wave(i, 4) + wave(3 * i, 1));
    }
  }
  grad_logits.resize(kRows * kPitch, -1);
  grad_masked_logits.resize(kRows * kPitch, -1);
  for (std::size_t row = 0; row < kRows; ++row) {
    token_ids.push_back(static_cast<std::int32_t>((row * 11 + seed) % kVocab));
    mask.push_back(row == 3 ? 0 : 1);
    old_log_probs.push_back(-2 + wave(row, 1));
    ref_log_probs.push_back(-2 + wave(row + 7, 1));
    advantages.push_back(wave(row + 2, 2));
    weights.push_back(0.25);
    entropy_weights.push_back(0.2);
    perception_weights.push_back(0.1 * static_cast<double>(row));
  }
  statistics.resize(8 * kRows);
  terms.resize(12 * kRows);

  namespace op = papo_loss;
  call.spec = &op::kSpec;
  call.rows = kRows;
  call.vocab = kVocab;
  const auto matrix = [](std::vector<float>& data) {
    return TensorView{data.data(), kRows, kVocab, kPitch, DType::float32, {}};
  };
  const auto row = [](auto& data, DType dtype) {
    return TensorView{data.data(), kRows, 1, 1, dtype, {}};
  };
  const auto lines = [](std::vector<double>& data) {
    return TensorView{data.data(), data.size() / kRows, kRows, kRows, DType::float64, {}};
  };
  call.inputs[op::kLogits] = matrix(logits);
  call.inputs[op::kMaskedLogits] = matrix(masked_logits);
  call.inputs[op::kTokenIds] = row(token_ids, DType::int32);
  call.inputs[op::kResponseMask] = row(mask, DType::int32);
  call.inputs[op::kOldLogProbs] = row(old_log_probs, DType::float64);
  call.inputs[op::kRefLogProbs] = row(ref_log_probs, DType::float64);
  call.inputs[op::kAdvantages] = row(advantages, DType::float64);
  call.inputs[op::kWeights] = row(weights, DType::float64);
  call.inputs[op::kEntropyWeights] = row(entropy_weights, DType::float64);
  call.inputs[op::kPerceptionWeights] = row(perception_weights, DType::float64);
  call.outputs[op::kStatistics] = lines(statistics);
  call.outputs[op::kTerms] = lines(terms);
  call.outputs[op::kGradLogits] = matrix(grad_logits);
  call.outputs[op::kGradMaskedLogits] = matrix(grad_masked_logits);
  for (std::size_t i = 0; i < op::kSpec.attributes.size; ++i) {
    call.attributes[i] = op::kSpec.attributes[i].initial;
  }
  using namespace token_objective_op;
  call.attributes[kRefKlCoef] = 0.01;
  call.attributes[kPerceptionKlCoef] = 0.02;
  call.attributes[kPerceptionKlEstimator] = static_cast<double>(KlEstimator::exact);
  call.attributes[kEntropyCoef] = 0.03;
  call.attributes[kMaskedEntropyCoef] = 0.03;
  call.attributes[kEntropyEstimator] = static_cast<double>(EntropyEstimator::exact);
  call.attributes[kMaskedBranch] = 1;
  call.attributes[op::kTemperature] = 0.9;
  call.attributes[op::kGradScale] = 2;
}

Status HostLoss::run() const { return cuda::run(call); }

OpCall HostLoss::stats() const {
  namespace loss = papo::papo_loss;
  namespace stats = token_stats;
  OpCall result;
  result.spec = &stats::kSpec;
  result.rows = kRows;
  result.vocab = kVocab;
  result.inputs[stats::kLogits] = call.inputs[loss::kLogits];
  result.inputs[stats::kMaskedLogits] = call.inputs[loss::kMaskedLogits];
  result.inputs[stats::kTokenIds] = call.inputs[loss::kTokenIds];
  result.inputs[stats::kResponseMask] = call.inputs[loss::kResponseMask];
  result.outputs[stats::kStatistics] = call.outputs[loss::kStatistics];
  result.attributes[stats::kTemperature] = 0.7;
  return result;
}

OnDevice::OnDevice(const OpCall& host, int device) : call(host) {
  const OpSpec& spec = *host.spec;
  for (std::size_t i = 0; i < spec.inputs.size; ++i) {
    if (spec.inputs[i].layout == Layout::matrix) call.inputs[i] = copied(host.inputs[i], device);
  }
  for (std::size_t i = 0; i < spec.outputs.size; ++i) {
    const TensorView& view = host.outputs[i];
    if (!view.present()) continue;
    if (spec.outputs[i].layout == Layout::matrix) {
      call.outputs[i] = copied(view, device);
    } else if (view.dtype == DType::float64) {
      lines_[i].resize(view.rows * view.columns);
      call.outputs[i].data = lines_[i].data();
    }
  }
}

TensorView OnDevice::copied(const TensorView& view, int device) {
  if (!view.present()) return {};
  TensorView result = view;
  result.device = {DeviceKind::cuda, device};
  for (const Copy& copy : copies_) {
    if (copy.host == view.data) result.data = copy.memory->data();
  }
  if (result.data != view.data) return result;
  const std::size_t bytes = view.rows * view.row_pitch * size_of(view.dtype);
  MemoryPtr memory;
  Status status = allocate("test", device, bytes, memory);
  REQUIRE_MESSAGE(status.ok(), status.message());
  status = copy("test", {view.data, {}, bytes}, {memory->data(), result.device, bytes}, 1, bytes,
                nullptr);
  REQUIRE_MESSAGE(status.ok(), status.message());
  result.data = memory->data();
  copies_.push_back({view.data, memory});
  return result;
}

std::vector<float> OnDevice::matrix(const TensorView& view) const {
  std::vector<float> values(view.rows * view.row_pitch);
  const std::size_t bytes = values.size() * sizeof(float);
  const Status status =
      copy("test", {view.data, view.device, bytes}, {values.data(), {}, bytes}, 1, bytes, nullptr);
  REQUIRE_MESSAGE(status.ok(), status.message());
  return values;
}

void check_close(const std::vector<double>& device, const std::vector<double>& host,
                 double tolerance) {
  check_each(device, host, tolerance);
}
void check_close(const std::vector<float>& device, const std::vector<float>& host,
                 double tolerance) {
  check_each(device, host, tolerance);
}

void check_zeros(const std::vector<float>& matrix) {
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    CAPTURE(i);
    // What lies between the rows is nobody's.
    CHECK(matrix[i] == (i % HostLoss::kPitch < HostLoss::kVocab ? 0.0F : -1.0F));
  }
}

/// Runs a loss on both sides and compares everything.
void check_same(HostLoss& host, int device) {
  namespace loss = papo::papo_loss;
  OnDevice there(host.call, device);
  const Status expected = host.run();
  const Status received = there.run();
  CHECK(received.message() == expected.message());
  REQUIRE(expected.ok());
  check_close(there.lines(loss::kStatistics), host.statistics, 1e-6);
  check_close(there.lines(loss::kTerms), host.terms, 1e-6);
  for (const int output : {loss::kGradLogits, loss::kGradMaskedLogits}) {
    const TensorView& view = there.call.outputs[output];
    if (!view.present()) continue;
    const auto& gradient = output == loss::kGradLogits ? host.grad_logits : host.grad_masked_logits;
    const bool in_place = host.call.outputs[output].data != gradient.data();
    check_close(there.matrix(view), in_place ? host.logits : gradient, 1e-6);
  }
}

}  // namespace papo::cuda
