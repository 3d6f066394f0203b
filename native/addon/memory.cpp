#include "addon/memory.hpp"

#include "addon/objects.hpp"
#include "addon/values.hpp"

namespace papo::addon {
namespace {

/// `napi_float16_array` of newer Node versions; the header of Node-API 8 does not name it.
constexpr int kFloat16Array = 11;

/// Bytes of an element; 0 for kinds that came after this was written.
std::size_t element_bytes(napi_typedarray_type type) {
  switch (static_cast<int>(type)) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      return 1;
    case napi_int16_array:
    case napi_uint16_array:
    case kFloat16Array:
      return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array:
      return 8;
    default:
      return 0;
  }
}

Status locate_array(napi_env env, const EnvState& state, const std::string& where,
                    const std::string& name, napi_value array, Location& location,
                    HeldMemory& held) {
  std::size_t length = 0;
  napi_value buffer = nullptr;
  if (napi_get_typedarray_info(env, array, &location.type, &length, &location.data, &buffer,
                               nullptr) != napi_ok) {
    return expected(Code::buffer, where, name + " to be readable", "an array that is not");
  }
  bool is_array_buffer = false;
  napi_is_arraybuffer(env, buffer, &is_array_buffer);
  if (!is_array_buffer) {
    return expected(Code::buffer, where, name + " not to be shared between threads",
                    "an array over a SharedArrayBuffer");
  }
  bool detached = false;
  napi_is_detached_arraybuffer(env, buffer, &detached);
  if (detached) {
    return expected(Code::disposed, where, name + " to be attached", "a detached buffer");
  }
  location.bytes = length * element_bytes(location.type);
  if (!state.pinned.empty()) {
    if (auto pinned = state.pinned.holder_of(location.data)) held.push_back(std::move(pinned));
  }
  return {};
}

Status locate_buffer(napi_env env, const std::string& where, const std::string& name,
                     const MemoryArgument& argument, Location& location, HeldMemory& held) {
  BufferHandle* buffer = nullptr;
  if (!get_handle(env, argument.data, buffer)) {
    return expected(Code::dtype, where, name + " to be a typed array or a device buffer",
                    described(env, argument.data));
  }
  if (buffer->target == nullptr) {
    return expected(Code::disposed, where, name + " to be alive", end_of(buffer));
  }
  if (argument.byte_offset > buffer->bytes) {
    return expected(Code::shape, where,
                    name + " to begin in its " + std::to_string(buffer->bytes) + " bytes",
                    "byte " + std::to_string(argument.byte_offset));
  }
  location.data = static_cast<char*>(buffer->target->data()) + argument.byte_offset;
  location.bytes = buffer->bytes - argument.byte_offset;
  location.device = buffer->target->device();
  held.push_back(buffer->target);
  return {};
}

}  // namespace

Status getter_threw(const std::string& where) {
  return {Code::argument, "[" + where + "] an argument's getter threw"};
}

Status read_data(napi_env env, const std::string& where, napi_value object,
                 MemoryArgument& argument) {
  if (napi_get_named_property(env, object, "data", &argument.data) != napi_ok) {
    return getter_threw(where);
  }
  napi_is_typedarray(env, argument.data, &argument.is_array);
  return {};
}

Status locate(napi_env env, const EnvState& state, const std::string& where,
              const std::string& name, const MemoryArgument& argument, Location& location,
              HeldMemory& held) {
  return argument.is_array ? locate_array(env, state, where, name, argument.data, location, held)
                           : locate_buffer(env, where, name, argument, location, held);
}

bool carries(napi_typedarray_type type, DType dtype) {
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

}  // namespace papo::addon
