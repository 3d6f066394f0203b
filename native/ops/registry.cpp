#include "ops/registry.hpp"

#include <cstring>

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

/// Where the vocabulary is, the device; where the rows are, the host. `logits` is the first tensor of the call.
Status check_device(const std::string& where, const TensorSpec& spec, const TensorView& view,
                    const TensorSpec& first_spec, const TensorView& first) {
  const std::string name = camel_case(spec.name);
  if (spec.layout != Layout::matrix && view.device != Device{}) {
    return expected(Code::device_mismatch, where,
                    name + " on " + name_of(Device{}) + ", where numbers per token stay",
                    name_of(view.device));
  }
  if (spec.layout == Layout::matrix && view.device != first.device) {
    return expected(Code::device_mismatch, where,
                    name + " on " + name_of(first.device) + " like " + camel_case(first_spec.name),
                    name_of(view.device));
  }
  return {};
}

Status check_tensor(const OpCall& call, const TensorSpec& spec, const TensorView& view) {
  const std::string where = camel_case(call.spec->name);
  const std::string name = camel_case(spec.name);
  if (!view.present()) {
    if (!spec.required) return {};
    return expected(Code::argument, where, name, "nothing");
  }
  if (!contains(spec.dtypes, view.dtype)) {
    return expected(Code::dtype, where, name + " to be " + show_dtypes(spec.dtypes),
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
    return expected(Code::shape, where, name + " " + show_shape(rows, columns),
                    show_shape(view.rows, view.columns));
  }
  if (view.row_pitch < view.columns ||
      (spec.layout != Layout::matrix && view.row_pitch != columns)) {
    return expected(Code::shape, where,
                    name + " to have a row pitch of at least " + std::to_string(columns),
                    std::to_string(view.row_pitch));
  }
  // A kernel on a device would die of it, and the process with it.
  const std::size_t past = reinterpret_cast<std::uintptr_t>(view.data) % size_of(view.dtype);
  if (past != 0) {
    return expected(
        Code::argument, where,
        name + " to begin at a multiple of " + std::to_string(size_of(view.dtype)) + " bytes",
        std::to_string(past) + " past one");
  }
  return check_device(where, spec, view, call.spec->inputs[0], call.inputs[0]);
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

Status check_overlaps(const OpCall& call) {
  const OpSpec& spec = *call.spec;
  const std::string where = camel_case(spec.name);
  for (std::size_t o = 0; o < spec.outputs.size; ++o) {
    for (std::size_t i = 0; i < spec.inputs.size; ++i) {
      if (overlap(call.outputs[o], call.inputs[i]) &&
          !in_place(spec.outputs[o], call.outputs[o], spec.inputs[i], call.inputs[i])) {
        return expected(Code::argument, where,
                        camel_case(spec.outputs[o].name) + " not to share memory with " +
                            camel_case(spec.inputs[i].name),
                        "overlapping buffers");
      }
    }
    for (std::size_t other = 0; other < o; ++other) {
      if (overlap(call.outputs[o], call.outputs[other])) {
        return expected(Code::argument, where,
                        camel_case(spec.outputs[o].name) + " not to share memory with " +
                            camel_case(spec.outputs[other].name),
                        "overlapping buffers");
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
