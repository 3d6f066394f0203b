#include "addon/args.hpp"

#include <cmath>
#include <cstring>
#include <string>

namespace papo::addon {
namespace {

constexpr double kMaxSize = 9007199254740991.0;  // 2^53 - 1, the largest count JavaScript can say
/// `napi_float16_array` of newer Node versions; the header of Node-API 8 does not name it.
constexpr int kFloat16Array = 11;

/// A tensor as JavaScript described it, before any address was taken.
struct TensorArgument {
  napi_value data = nullptr;
  DType dtype = DType::float32;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t row_pitch = 0;
};

napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type;
}

bool get_property(napi_env env, napi_value object, const char* name, napi_value& value) {
  return napi_get_named_property(env, object, name, &value) == napi_ok;
}

/// Strings of the contract are short; a longer one is cut and matches nothing.
std::string get_string(napi_env env, napi_value value) {
  char text[64] = {};
  std::size_t length = 0;
  if (napi_get_value_string_utf8(env, value, text, sizeof text, &length) != napi_ok) return {};
  return {text, length};
}

class Reader {
 public:
  Reader(napi_env env, const OpSpec& spec) : env_(env), where_(camel_case(spec.name)) {}

  Status pending() const { return {Code::argument, "[" + where_ + "] an argument's getter threw"}; }

  Status object(napi_value value, const char* name) const {
    if (type_of(env_, value) == napi_object) return {};
    return expected(Code::argument, where_, std::string(name) + " to be an object",
                    "something else");
  }

  Status size(napi_value tensor, const std::string& name, const char* property,
              std::size_t& result) const {
    napi_value value;
    if (!get_property(env_, tensor, property, value)) return pending();
    double number = -1;
    if (type_of(env_, value) == napi_number) napi_get_value_double(env_, value, &number);
    if (!(number >= 0 && number <= kMaxSize) || number != std::floor(number)) {
      return expected(Code::shape, where_, name + "." + property + " to be a count",
                      "something else");
    }
    result = static_cast<std::size_t>(number);
    return {};
  }

  Status tensor(napi_value tensors, const TensorSpec& spec, TensorArgument& argument) const {
    const std::string name = camel_case(spec.name);
    napi_value value;
    if (!get_property(env_, tensors, spec.name, value)) return pending();
    const napi_valuetype type = type_of(env_, value);
    if (type == napi_undefined || type == napi_null) return {};
    Status status = object(value, name.c_str());
    if (!status.ok()) return status;
    napi_value dtype;
    if (!get_property(env_, value, "data", argument.data)) return pending();
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

  /// Takes the address; runs no JavaScript.
  Status view(const TensorSpec& spec, const TensorArgument& argument, TensorView& view) const {
    const std::string name = camel_case(spec.name);
    bool is_typed_array = false;
    napi_is_typedarray(env_, argument.data, &is_typed_array);
    if (!is_typed_array)
      return expected(Code::dtype, where_, name + " to be a typed array", "something else");
    napi_typedarray_type type;
    std::size_t length = 0;
    void* data = nullptr;
    napi_value buffer = nullptr;
    if (napi_get_typedarray_info(env_, argument.data, &type, &length, &data, &buffer, nullptr) !=
        napi_ok) {
      return expected(Code::buffer, where_, name + " to be readable", "an array that is not");
    }
    bool is_array_buffer = false;
    napi_is_arraybuffer(env_, buffer, &is_array_buffer);
    if (!is_array_buffer) {
      return expected(Code::buffer, where_, name + " not to be shared between threads",
                      "an array over a SharedArrayBuffer");
    }
    bool detached = false;
    napi_is_detached_arraybuffer(env_, buffer, &detached);
    if (detached)
      return expected(Code::disposed, where_, name + " to be attached", "a detached buffer");
    if (!carries(type, argument.dtype)) {
      return expected(Code::dtype, where_, name + " to hold " + name_of(argument.dtype),
                      "another typed array");
    }
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
    view = {empty ? &nothing : data, argument.rows,  argument.columns,
            argument.row_pitch,      argument.dtype, {}};
    return {};
  }

 private:
  static bool carries(napi_typedarray_type type, DType dtype) {
    switch (dtype) {
      case DType::float32:
        return type == napi_float32_array;
      case DType::float64:
        return type == napi_float64_array;
      case DType::int32:
        return type == napi_int32_array;
      case DType::bfloat16:
        return type == napi_uint16_array;
      case DType::float16:
        return type == napi_uint16_array || static_cast<int>(type) == kFloat16Array;
    }
    return false;
  }

  napi_env env_;
  std::string where_;
};

}  // namespace

Status read_call(Napi::Env env, const OpSpec& spec, Napi::Value inputs, Napi::Value outputs,
                 Napi::Value attributes, OpCall& call, std::vector<napi_value>& held) {
  const Reader reader(env, spec);
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
    if (input_arguments[i].data == nullptr) continue;
    status = reader.view(spec.inputs[i], input_arguments[i], call.inputs[i]);
    held.push_back(input_arguments[i].data);
  }
  for (std::size_t i = 0; status.ok() && i < spec.outputs.size; ++i) {
    if (output_arguments[i].data == nullptr) continue;
    status = reader.view(spec.outputs[i], output_arguments[i], call.outputs[i]);
    held.push_back(output_arguments[i].data);
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
