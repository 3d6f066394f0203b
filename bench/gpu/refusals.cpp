#include <limits>

#include "direct.hpp"
#include "stages.hpp"

namespace papo::gpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// One value that no row may hold, or a whole row of it.
struct Fault {
  const char* name;
  float value;
  bool masked;
  bool whole_row;
};

constexpr Fault kFaults[] = {
    {"NaN in logits", kNaN, false, false},
    {"NaN in maskedLogits", kNaN, true, false},
    {"Infinity in logits", kInf, false, false},
    {"Infinity in maskedLogits", kInf, true, false},
    {"only -Infinity in logits", -kInf, false, true},
    {"only -Infinity in maskedLogits", -kInf, true, true},
    {"a token that only the masked policy holds impossible", -kInf, true, false},
};

void put(HostMatrix& matrix, std::size_t row, std::size_t column, float value) {
  const TensorView view = matrix.view();
  store(value, view.dtype, view.data, row * view.row_pitch + column);
}

void plant(Batch& batch, const Fault& fault, std::size_t row) {
  HostMatrix& matrix = fault.masked ? batch.masked_logits : batch.logits;
  // Not the chosen token: its log-prob would be -Infinity, which is another story.
  const auto id = static_cast<std::size_t>(batch.token_ids[row]);
  const std::size_t column = id == batch.spec.vocab / 2 ? id - 1 : batch.spec.vocab / 2;
  for (std::size_t v = 0; v < batch.spec.vocab; ++v) {
    if (fault.whole_row || v == column) put(matrix, row, v, fault.value);
  }
}

void try_fault(Context& context, const Fault& fault, DType dtype, std::size_t vocab) {
  Case spec;
  spec.rows = 6;
  spec.vocab = vocab;
  spec.dtype = dtype;
  spec.logits = Logits::normal;
  spec.seed = context.options.seed;
  Batch batch(spec);
  prepare(batch, context.registry);
  for (const std::size_t row : {std::size_t{4}, std::size_t{2}}) plant(batch, fault, row);
  DeviceMatrix p(batch.logits.layout(), context.device());
  DeviceMatrix q(batch.masked_logits.layout(), context.device());
  p.upload(batch.logits);
  q.upload(batch.masked_logits);
  HostMatrix host_p(batch.grad_layout(true)), host_q(batch.grad_layout(false));
  DeviceMatrix grad_p(batch.grad_layout(true), context.device());
  DeviceMatrix grad_q(batch.grad_layout(false), context.device());

  const auto same = [&](const Status& device, const Status& cpu, const char* op) {
    context.report.check(device.code() == cpu.code() && device.row() == cpu.row() &&
                             device.message() == cpu.message(),
                         spec.name() + ": " + op + " with " + fault.name,
                         "\n    CPU:    " + cpu.message() + "\n    device: " + device.message());
  };
  LossOutputs cpu_loss, loss;
  same(run(context.registry, "papo_loss",
           papo_loss_call(batch, p.view(), q.view(), grad_p.view(), grad_q.view(), loss)),
       run(context.registry, "papo_loss",
           papo_loss_call(batch, batch.logits.view(), batch.masked_logits.view(), host_p.view(),
                          host_q.view(), cpu_loss)),
       "papo_loss");
  std::vector<double> cpu_statistics, statistics;
  std::vector<std::int32_t> cpu_invalid, invalid;
  StatsOutputs of_cpu, of_device;
  of_cpu.statistics = &cpu_statistics;
  of_device.statistics = &statistics;
  for (const bool skip : {false, true}) {
    of_cpu.invalid = skip ? &cpu_invalid : nullptr;
    of_device.invalid = skip ? &invalid : nullptr;
    same(run(context.registry, "token_stats",
             token_stats_call(batch, p.view(), q.view(), of_device)),
         run(context.registry, "token_stats",
             token_stats_call(batch, batch.logits.view(), batch.masked_logits.view(), of_cpu)),
         skip ? "token_stats, skipping," : "token_stats");
  }
  context.report.check(invalid == cpu_invalid, spec.name() + ": flags with " + fault.name);
  bool zero = true;
  for (std::size_t row = 0; row < spec.rows; ++row) {
    for (std::size_t line = 0; line < kStatisticCount; ++line) {
      if (invalid[row] != 0) zero = zero && statistics[line * spec.rows + row] == 0;
    }
  }
  context.report.check(zero, spec.name() + ": skipped rows have statistics of 0, " + fault.name);
}

}  // namespace

void refusals(Context& context) {
  const bool tiny = context.options.extent == Extent::tiny;
  for (const std::size_t vocab :
       {std::size_t{515}, static_cast<std::size_t>(tiny ? 1032 : 151'936)}) {
    for (const DType dtype : {DType::bfloat16, DType::float32}) {
      for (const Fault& fault : kFaults) try_fault(context, fault, dtype, vocab);
    }
  }
}

}  // namespace papo::gpu
