#include "addon/memory.hpp"

#include "addon/objects.hpp"
#include "addon/values.hpp"
#include "ops/op_spec.hpp"

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

Status locate_array(napi_env env, const EnvState& state, const char* where, const char* name,
                    napi_value array, Location& location, HeldMemory& held) {
  std::size_t length = 0;
  napi_value buffer = nullptr;
  if (napi_get_typedarray_info(env, array, &location.type, &length, &location.data, &buffer,
                               nullptr) != napi_ok) {
    return expected(Code::buffer, camel_case(where), camel_case(name) + " to be readable",
                    "an array that is not");
  }
  bool is_array_buffer = false;
  napi_is_arraybuffer(env, buffer, &is_array_buffer);
  if (!is_array_buffer) {
    return expected(Code::buffer, camel_case(where),
                    camel_case(name) + " not to be shared between threads",
                    "an array over a SharedArrayBuffer");
  }
  // An array over a detached buffer has no elements, like any empty one.
  bool detached = false;
  if (length == 0) napi_is_detached_arraybuffer(env, buffer, &detached);
  if (detached) {
    return expected(Code::disposed, camel_case(where), camel_case(name) + " to be attached",
                    "a detached buffer");
  }
  location.bytes = length * element_bytes(location.type);
  if (!state.pinned.empty()) {
    if (auto pinned = state.pinned.holder_of(location.data)) held.push_back(std::move(pinned));
  }
  return {};
}

Status locate_buffer(napi_env env, const char* where, const char* name, napi_value data,
                     Location& location, HeldMemory& held) {
  BufferHandle* buffer = nullptr;
  if (!get_handle(env, data, buffer)) {
    return expected(Code::dtype, camel_case(where),
                    camel_case(name) + " to be a typed array or a device buffer",
                    described(env, data));
  }
  if (buffer->target == nullptr) {
    return expected(Code::disposed, camel_case(where), camel_case(name) + " to be alive",
                    end_of(buffer));
  }
  location.data = buffer->target->data();
  location.bytes = buffer->bytes;
  location.device = buffer->target->device();
  held.push_back(buffer->target);
  return {};
}

}  // namespace

Status locate(napi_env env, const EnvState& state, const char* where, const char* name,
              napi_value data, Location& location, HeldMemory& held) {
  bool is_array = false;
  napi_is_typedarray(env, data, &is_array);
  return is_array ? locate_array(env, state, where, name, data, location, held)
                  : locate_buffer(env, where, name, data, location, held);
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
