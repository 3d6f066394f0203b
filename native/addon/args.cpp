#include "addon/args.hpp"

#include <algorithm>
#include <iterator>
#include <string>

#include "addon/memory.hpp"
#include "addon/values.hpp"

namespace papo::addon {
namespace {

/// Reads one call; what is refused is spelled only then.
class Reader {
 public:
  Reader(napi_env env, const EnvState& state, const OpSpec& spec, MemoryValues memory,
         HeldMemory& held)
      : env_(env), state_(state), spec_(spec), memory_(memory), held_(held) {}

  /// Copies the numbers: another thread may change those of a SharedArrayBuffer meanwhile.
  Status numbers(napi_value value) {
    const std::size_t wanted =
        kTensorNumbers * (spec_.inputs.size + spec_.outputs.size) + spec_.attributes.size;
    napi_typedarray_type type = napi_uint8_array;
    std::size_t length = 0;
    void* data = nullptr;
    const bool read =
        napi_get_typedarray_info(env_, value, &type, &length, &data, nullptr, nullptr) == napi_ok;
    if (!read || type != napi_float64_array || length != wanted) {
      return expected(Code::argument, camel_case(spec_.name),
                      "a Float64Array of " + std::to_string(wanted) + " numbers",
                      read ? "another typed array" : described(env_, value));
    }
    std::copy_n(static_cast<const double*>(data), wanted, numbers_);
    return {};
  }

  Status tensor(const TensorSpec& spec, TensorView& view) {
    const double* const said = next_;
    next_ += kTensorNumbers;
    if (said[kMemory] == -1) return {};
    std::size_t index = 0;
    if (!count_of(said[kMemory], index) || index >= memory_.count) {
      return refused(Code::argument, spec,
                     ".memory to be one of the " + std::to_string(memory_.count) + " given",
                     show(said[kMemory]));
    }
    Status status = locate_memory(spec, index);
    std::size_t dtype = 0;
    if (status.ok() && (!count_of(said[kDType], dtype) || dtype >= std::size(kAllDTypes))) {
      status = refused(Code::dtype, spec, ".dtype to be a dtype", show(said[kDType]));
    }
    std::size_t byte_offset = 0;
    if (status.ok()) status = count(spec, "byteOffset", said[kByteOffset], byte_offset);
    if (status.ok()) status = count(spec, "rows", said[kRows], view.rows);
    if (status.ok()) status = count(spec, "columns", said[kColumns], view.columns);
    if (status.ok()) status = count(spec, "rowPitch", said[kRowPitch], view.row_pitch);
    if (!status.ok()) return status;
    view.dtype = kAllDTypes[dtype];
    return place(spec, index, byte_offset, view);
  }

  Status attribute(const AttributeSpec& spec, double& result) {
    result = *next_++;
    std::size_t choice = 0;
    if (spec.choices.size == 0 || (count_of(result, choice) && choice < spec.choices.size)) {
      return {};
    }
    return expected(
        Code::argument, camel_case(spec_.name),
        camel_case(spec.name) + " to be one of " + std::to_string(spec.choices.size) + " choices",
        show(result));
  }

 private:
  enum Number { kMemory, kByteOffset, kDType, kRows, kColumns, kRowPitch };

  Status refused(Code code, const TensorSpec& spec, const std::string& what,
                 const std::string& received) const {
    return expected(code, camel_case(spec_.name), camel_case(spec.name) + what, received);
  }

  Status count(const TensorSpec& spec, const char* property, double number,
               std::size_t& result) const {
    if (count_of(number, result)) return {};
    return refused(Code::shape, spec, std::string(".") + property + " to be a count", show(number));
  }

  /// The address of some memory, taken once for all tensors in it.
  Status locate_memory(const TensorSpec& spec, std::size_t index) {
    if (located_[index]) return {};
    located_[index] = true;
    return locate(env_, state_, spec_.name, spec.name, memory_.values[index], locations_[index],
                  held_);
  }

  /// The view of a tensor whose numbers were read, once it is known to lie within its memory.
  Status place(const TensorSpec& spec, std::size_t index, std::size_t byte_offset,
               TensorView& view) const {
    const Location& location = locations_[index];
    const bool is_array = location.device.kind == DeviceKind::cpu;
    if (is_array && !carries(location.type, view.dtype)) {
      return refused(Code::dtype, spec, std::string(" to hold ") + name_of(view.dtype),
                     "another typed array");
    }
    if (byte_offset > location.bytes) {
      return refused(Code::shape, spec,
                     " to begin in its " + std::to_string(location.bytes) + " bytes",
                     "byte " + std::to_string(byte_offset));
    }
    char* const data = static_cast<char*>(location.data) + byte_offset;
    const std::size_t element = size_of(view.dtype);
    // A kernel's misplaced read costs a device everything it holds, so it is refused here.
    if ((reinterpret_cast<std::uintptr_t>(data) & (element - 1)) != 0) {
      return refused(Code::buffer, spec,
                     " to begin at a multiple of " + std::to_string(element) + " bytes",
                     "another address");
    }
    const std::size_t length = (location.bytes - byte_offset) / element;
    const bool empty = view.rows == 0 || view.columns == 0;
    if (!empty && (view.row_pitch < view.columns || view.columns > length ||
                   view.rows - 1 > (length - view.columns) / view.row_pitch)) {
      return refused(Code::shape, spec,
                     " to hold " + std::to_string(view.rows) + " rows of " +
                         std::to_string(view.columns) + " at a pitch of " +
                         std::to_string(view.row_pitch),
                     std::to_string(length) + " elements");
    }
    static double nothing = 0;  // an empty tensor is present, but no element of it is ever touched
    view.data = empty ? static_cast<void*>(&nothing) : data;
    view.device = location.device;
    return {};
  }

  napi_env env_;
  const EnvState& state_;
  const OpSpec& spec_;
  MemoryValues memory_;
  HeldMemory& held_;
  double numbers_[kMostNumbers];
  const double* next_ = numbers_;
  bool located_[2 * kMaxTensors] = {};
  Location locations_[2 * kMaxTensors];
};

}  // namespace

Status read_call(napi_env env, const EnvState& state, const OpSpec& spec, napi_value numbers,
                 MemoryValues memory, OpCall& call, HeldMemory& held, HeldValues& values) {
  call.spec = &spec;
  if (memory.count > 2 * kMaxTensors) {
    return expected(Code::argument, camel_case(spec.name),
                    "memory for " + std::to_string(2 * kMaxTensors) + " tensors at most",
                    std::to_string(memory.count));
  }
  Reader reader(env, state, spec, memory, held);
  Status status = reader.numbers(numbers);
  for (std::size_t i = 0; status.ok() && i < spec.inputs.size; ++i) {
    status = reader.tensor(spec.inputs[i], call.inputs[i]);
  }
  for (std::size_t i = 0; status.ok() && i < spec.outputs.size; ++i) {
    status = reader.tensor(spec.outputs[i], call.outputs[i]);
  }
  for (std::size_t i = 0; status.ok() && i < spec.attributes.size; ++i) {
    status = reader.attribute(spec.attributes[i], call.attributes[i]);
  }
  for (std::size_t i = 0; i < memory.count; ++i) values.keep(memory.values[i]);
  const bool is_matrix = spec.inputs[0].layout == Layout::matrix;
  call.rows = is_matrix ? call.inputs[0].rows : call.inputs[0].columns;
  call.vocab = is_matrix ? call.inputs[0].columns : 1;
  return status;
}

Status read_cancellation(napi_env env, napi_value value, const std::int32_t*& flag) {
  flag = nullptr;
  if (type_of(env, value) == napi_undefined) return {};
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
