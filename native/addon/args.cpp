#include "addon/args.hpp"

#include <string>

#include "addon/memory.hpp"
#include "addon/values.hpp"

namespace papo::addon {
namespace {

/// A tensor as JavaScript described it, before any address was taken.
struct TensorArgument {
  MemoryArgument memory;
  DType dtype = DType::float32;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t row_pitch = 0;
};

bool get_property(napi_env env, napi_value object, const char* name, napi_value& value) {
  return napi_get_named_property(env, object, name, &value) == napi_ok;
}

class Reader {
 public:
  Reader(napi_env env, const EnvState& state, const OpSpec& spec)
      : env_(env), state_(state), where_(camel_case(spec.name)) {}

  Status pending() const { return getter_threw(where_); }

  Status object(napi_value value, const char* name) const {
    if (type_of(env_, value) == napi_object) return {};
    return expected(Code::argument, where_, std::string(name) + " to be an object",
                    "something else");
  }

  Status size(napi_value tensor, const std::string& name, const char* property,
              std::size_t& result) const {
    napi_value value;
    if (!get_property(env_, tensor, property, value)) return pending();
    if (get_count(env_, value, result)) return {};
    return expected(Code::shape, where_, name + "." + property + " to be a count",
                    described(env_, value));
  }

  /// Of device buffers: a typed array is a view already.
  Status offset(napi_value tensor, const std::string& name, std::size_t& result) const {
    napi_value value;
    if (!get_property(env_, tensor, "byteOffset", value)) return pending();
    if (type_of(env_, value) == napi_undefined) return {};
    return read_count(env_, where_, name + ".byteOffset", value, result);
  }

  Status tensor(napi_value tensors, const TensorSpec& spec, TensorArgument& argument) const {
    const std::string name = camel_case(spec.name);
    napi_value value;
    if (!get_property(env_, tensors, spec.name, value)) return pending();
    const napi_valuetype type = type_of(env_, value);
    if (type == napi_undefined || type == napi_null) return {};
    Status status = object(value, name.c_str());
    if (!status.ok()) return status;
    status = read_data(env_, where_, value, argument.memory);
    if (status.ok() && !argument.memory.is_array) {
      status = offset(value, name, argument.memory.byte_offset);
    }
    if (!status.ok()) return status;
    napi_value dtype;
    if (!get_property(env_, value, "dtype", dtype)) return pending();
    const std::string dtype_name = get_string(env_, dtype);
    bool known = false;
    for (const DType candidate : kAllDTypes) {
      if (dtype_name != name_of(candidate)) continue;
      argument.dtype = candidate;
      known = true;
    }
    if (!known)
      return expected(Code::dtype, where_, name + ".dtype to be a dtype", "\"" + dtype_name + "\"");
    status = size(value, name, "rows", argument.rows);
    if (status.ok()) status = size(value, name, "columns", argument.columns);
    if (status.ok()) status = size(value, name, "rowPitch", argument.row_pitch);
    return status;
  }

  Status attribute(napi_value attributes, const AttributeSpec& spec, double& result) const {
    const std::string name = camel_case(spec.name);
    napi_value value;
    if (!get_property(env_, attributes, spec.name, value)) return pending();
    result = spec.initial;
    if (type_of(env_, value) == napi_undefined) return {};
    if (spec.choices.size == 0) {
      if (napi_get_value_double(env_, value, &result) == napi_ok) return {};
      return expected(Code::argument, where_, name + " to be a number", "something else");
    }
    const std::string word = get_string(env_, value);
    std::string choices;
    for (std::size_t i = 0; i < spec.choices.size; ++i) {
      if (word == spec.choices[i]) {
        result = static_cast<double>(i);
        return {};
      }
      choices += (i == 0 ? "\"" : ", \"") + std::string(spec.choices[i]) + "\"";
    }
    return expected(Code::argument, where_, name + " to be one of " + choices, "\"" + word + "\"");
  }

  /// Takes the address and holds it; runs no JavaScript.
  Status view(const TensorSpec& spec, const TensorArgument& argument, TensorView& view,
              HeldMemory& held) const {
    const std::string name = camel_case(spec.name);
    Location location;
    Status status = locate(env_, state_, where_, name, argument.memory, location, held);
    if (!status.ok()) return status;
    if (argument.memory.is_array && !carries(location.type, argument.dtype)) {
      return expected(Code::dtype, where_, name + " to hold " + name_of(argument.dtype),
                      "another typed array");
    }
    const std::size_t element = size_of(argument.dtype);
    // A kernel's misplaced read costs a device everything it holds, so it is refused here.
    if (!argument.memory.is_array && reinterpret_cast<std::uintptr_t>(location.data) % element) {
      return expected(Code::buffer, where_,
                      name + " to begin at a multiple of " + std::to_string(element) + " bytes",
                      "another address");
    }
    const std::size_t length = location.bytes / element;
    const bool empty = argument.rows == 0 || argument.columns == 0;
    if (!empty && (argument.row_pitch < argument.columns || argument.columns > length ||
                   argument.rows - 1 > (length - argument.columns) / argument.row_pitch)) {
      return expected(Code::shape, where_,
                      name + " to hold " + std::to_string(argument.rows) + " rows of " +
                          std::to_string(argument.columns) + " at a pitch of " +
                          std::to_string(argument.row_pitch),
                      std::to_string(length) + " elements");
    }
    static double nothing = 0;  // an empty tensor is present, but no element of it is ever touched
    view = {empty ? &nothing : location.data,
            argument.rows,
            argument.columns,
            argument.row_pitch,
            argument.dtype,
            location.device};
    return {};
  }

 private:
  napi_env env_;
  const EnvState& state_;
  std::string where_;
};

}  // namespace

Status read_call(Napi::Env env, const EnvState& state, const OpSpec& spec, Napi::Value inputs,
                 Napi::Value outputs, Napi::Value attributes, OpCall& call, HeldMemory& memory,
                 HeldValues& values) {
  const Reader reader(env, state, spec);
  TensorArgument input_arguments[kMaxTensors];
  TensorArgument output_arguments[kMaxTensors];
  call.spec = &spec;
  Status status = reader.object(inputs, "inputs");
  if (status.ok()) status = reader.object(outputs, "outputs");
  if (status.ok()) status = reader.object(attributes, "attributes");
  for (std::size_t i = 0; status.ok() && i < spec.inputs.size; ++i) {
    status = reader.tensor(inputs, spec.inputs[i], input_arguments[i]);
  }
  for (std::size_t i = 0; status.ok() && i < spec.outputs.size; ++i) {
    status = reader.tensor(outputs, spec.outputs[i], output_arguments[i]);
  }
  for (std::size_t i = 0; status.ok() && i < spec.attributes.size; ++i) {
    status = reader.attribute(attributes, spec.attributes[i], call.attributes[i]);
  }

  for (std::size_t i = 0; status.ok() && i < spec.inputs.size; ++i) {
    if (input_arguments[i].memory.data == nullptr) continue;
    status = reader.view(spec.inputs[i], input_arguments[i], call.inputs[i], memory);
    values.keep(input_arguments[i].memory.data);
  }
  for (std::size_t i = 0; status.ok() && i < spec.outputs.size; ++i) {
    if (output_arguments[i].memory.data == nullptr) continue;
    status = reader.view(spec.outputs[i], output_arguments[i], call.outputs[i], memory);
    values.keep(output_arguments[i].memory.data);
  }
  const bool is_matrix = spec.inputs[0].layout == Layout::matrix;
  call.rows = is_matrix ? call.inputs[0].rows : call.inputs[0].columns;
  call.vocab = is_matrix ? call.inputs[0].columns : 1;
  return status;
}

Status read_cancellation(Napi::Env env, Napi::Value value, const std::int32_t*& flag) {
  flag = nullptr;
  if (value.IsUndefined()) return {};
  bool is_typed_array = false;
  napi_is_typedarray(env, value, &is_typed_array);
  napi_typedarray_type type = napi_uint8_array;
  std::size_t length = 0;
  void* data = nullptr;
  if (is_typed_array) napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr);
  if (type != napi_int32_array || length < 1) {
    return expected(Code::argument, "papo", "cancel to be an Int32Array of one element",
                    "something else");
  }
  flag = static_cast<const std::int32_t*>(data);
  return {};
}

}  // namespace papo::addon
