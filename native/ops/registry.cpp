#include "ops/registry.hpp"

#include <cstring>

#include "core/floating_point.hpp"
#include "ops/papo_loss.hpp"
#include "ops/token_objective.hpp"
#include "ops/token_stats.hpp"
#include "ops/token_stats_finish.hpp"
#include "ops/token_stats_grad.hpp"
#include "ops/token_stats_merge.hpp"
#include "ops/token_stats_partial.hpp"

namespace papo {
namespace {

std::string show_shape(std::size_t rows, std::size_t columns) {
  return "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]";
}

std::string show_dtypes(DTypeSet dtypes) {
  std::string text;
  for (const DType dtype : kAllDTypes) {
    if (!contains(dtypes, dtype)) continue;
    text += (text.empty() ? "" : ", ") + std::string(name_of(dtype));
  }
  return text;
}

/// A tensor that is refused; `what` follows its name. Nothing is spelled where nothing is wrong.
Status refused(Code code, const OpCall& call, const TensorSpec& spec, const std::string& what,
               const std::string& received) {
  return expected(code, camel_case(call.spec->name), camel_case(spec.name) + what, received);
}

/// Where the vocabulary is, the device; where the rows are, the host.
Status check_device(const OpCall& call, const TensorSpec& spec, const TensorView& view) {
  if (spec.layout != Layout::matrix && view.device != Device{}) {
    return refused(Code::device_mismatch, call, spec,
                   " on " + name_of(Device{}) + ", where numbers per token stay",
                   name_of(view.device));
  }
  const Device first = call.inputs[0].device;
  if (spec.layout == Layout::matrix && view.device != first) {
    return refused(Code::device_mismatch, call, spec,
                   " on " + name_of(first) + " like " + camel_case(call.spec->inputs[0].name),
                   name_of(view.device));
  }
  return {};
}

Status check_tensor(const OpCall& call, const TensorSpec& spec, const TensorView& view) {
  if (!view.present()) {
    return spec.required ? refused(Code::argument, call, spec, "", "nothing") : Status();
  }
  if (!contains(spec.dtypes, view.dtype)) {
    return refused(Code::dtype, call, spec, " to be " + show_dtypes(spec.dtypes),
                   name_of(view.dtype));
  }
  std::size_t rows = call.rows;
  std::size_t columns = 1;
  if (spec.layout == Layout::matrix) columns = call.vocab;
  if (spec.layout == Layout::lines) {
    rows = spec.lines.size;
    columns = call.rows;
  }
  if (view.rows != rows || view.columns != columns) {
    return refused(Code::shape, call, spec, " " + show_shape(rows, columns),
                   show_shape(view.rows, view.columns));
  }
  if (view.row_pitch < view.columns ||
      (spec.layout != Layout::matrix && view.row_pitch != columns)) {
    return refused(Code::shape, call, spec,
                   " to have a row pitch of at least " + std::to_string(columns),
                   std::to_string(view.row_pitch));
  }
  // A kernel on a device would die of it, and the process with it.
  const std::size_t element = size_of(view.dtype);
  const std::size_t past = reinterpret_cast<std::uintptr_t>(view.data) % element;
  if (past != 0) {
    return refused(Code::argument, call, spec,
                   " to begin at a multiple of " + std::to_string(element) + " bytes",
                   std::to_string(past) + " past one");
  }
  return check_device(call, spec, view);
}

bool overlap(const TensorView& a, const TensorView& b) {
  if (!a.present() || !b.present() || a.device != b.device) return false;
  const auto a_begin = reinterpret_cast<std::uintptr_t>(a.data);
  const auto b_begin = reinterpret_cast<std::uintptr_t>(b.data);
  return a_begin < b_begin + b.span_bytes() && b_begin < a_begin + a.span_bytes();
}

/// A gradient may lie exactly over its own logits (in place); nothing else may share memory with an output.
bool in_place(const TensorSpec& output_spec, const TensorView& output, const TensorSpec& input_spec,
              const TensorView& input) {
  return std::strncmp(output_spec.name, "grad_", 5) == 0 &&
         std::strcmp(output_spec.name + 5, input_spec.name) == 0 && output.data == input.data &&
         output.dtype == input.dtype && output.row_pitch == input.row_pitch;
}

Status shared(const OpCall& call, const TensorSpec& output, const TensorSpec& other) {
  return refused(Code::argument, call, output,
                 " not to share memory with " + camel_case(other.name), "overlapping buffers");
}

Status check_overlaps(const OpCall& call) {
  const OpSpec& spec = *call.spec;
  for (std::size_t o = 0; o < spec.outputs.size; ++o) {
    for (std::size_t i = 0; i < spec.inputs.size; ++i) {
      if (overlap(call.outputs[o], call.inputs[i]) &&
          !in_place(spec.outputs[o], call.outputs[o], spec.inputs[i], call.inputs[i])) {
        return shared(call, spec.outputs[o], spec.inputs[i]);
      }
    }
    for (std::size_t other = 0; other < o; ++other) {
      if (overlap(call.outputs[o], call.outputs[other])) {
        return shared(call, spec.outputs[o], spec.outputs[other]);
      }
    }
  }
  return {};
}

Status check_attributes(const OpCall& call) {
  for (std::size_t i = 0; i < call.spec->attributes.size; ++i) {
    const AttributeSpec& spec = call.spec->attributes[i];
    const double value = call.attributes[i];
    const bool inside =
        (spec.least_excluded ? value > spec.least : value >= spec.least) && value <= spec.most;
    if (spec.choices.size == 0 && !inside) {
      return expected(Code::range, camel_case(call.spec->name),
                      camel_case(spec.name) + (spec.least_excluded ? " above " : " from ") +
                          show(spec.least) + " to " + show(spec.most),
                      show(value));
    }
  }
  return {};
}

}  // namespace

Status check_call(const OpCall& call) {
  const OpSpec& spec = *call.spec;
  if (spec.inputs[0].layout == Layout::matrix && call.vocab == 0) {
    return expected(Code::shape, camel_case(spec.name), "a vocabulary of at least 1", "0");
  }
  for (std::size_t i = 0; i < spec.inputs.size; ++i) {
    Status status = check_tensor(call, spec.inputs[i], call.inputs[i]);
    if (!status.ok()) return status;
  }
  for (std::size_t i = 0; i < spec.outputs.size; ++i) {
    Status status = check_tensor(call, spec.outputs[i], call.outputs[i]);
    if (!status.ok()) return status;
  }
  Status status = check_attributes(call);
  return status.ok() ? check_overlaps(call) : status;
}

Registry::Registry() {
  entries_ = {
      {&token_stats::kSpec, token_stats::check},
      {&token_stats_partial::kSpec, token_stats_partial::check},
      {&token_stats_merge::kSpec, token_stats_merge::check},
      {&token_stats_finish::kSpec, token_stats_finish::check},
      {&token_stats_grad::kSpec, token_stats_grad::check},
      {&token_objective_op::kSpec, token_objective_op::check},
      {&papo_loss::kSpec, papo_loss::check},
  };
}

const OpEntry* Registry::find(const std::string& name) const {
  for (const OpEntry& entry : entries_) {
    if (name == entry.spec->name) return &entry;
  }
  return nullptr;
}

void Registry::add_kernel(const char* name, DeviceKind device, Kernel kernel) {
  for (OpEntry& entry : entries_) {
    if (std::strcmp(entry.spec->name, name) != 0) continue;
    (device == DeviceKind::cpu ? entry.cpu : entry.cuda) = kernel;
  }
}

Status Registry::run(const OpEntry& entry, const OpCall& call) const {
  const KernelFloatingPoint scope;
  Status status = check_call(call);
  if (status.ok()) status = entry.check(call);
  if (!status.ok() || call.rows == 0) return status;
  const DeviceKind device = call.inputs[0].device.kind;
  const Kernel kernel = device == DeviceKind::cpu ? entry.cpu : entry.cuda;
  if (kernel == nullptr) {
    return {Code::device_unavailable, "[" + camel_case(entry.spec->name) + "] has no kernel for " +
                                          name_of(call.inputs[0].device)};
  }
  return kernel(call);
}

}  // namespace papo
