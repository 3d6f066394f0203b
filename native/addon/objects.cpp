#include "addon/objects.hpp"

#include "core/device.hpp"

namespace papo::addon {

bool keep_owner(napi_env env, napi_value object, napi_value owner) {
  napi_value name = nullptr;
  napi_value symbol = nullptr;
  if (napi_create_string_utf8(env, "owner", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_symbol(env, name, &symbol) != napi_ok) {
    return false;
  }
  // A property, not a reference: an owner that holds the buffer in turn is garbage together with it.
  // It can be neither changed nor removed.
  napi_property_descriptor property = {};
  property.name = symbol;
  property.value = owner;
  property.attributes = napi_default;
  return napi_define_properties(env, object, 1, &property) == napi_ok;
}

Status find_stream(napi_env env, const std::string& where, napi_value value,
                   cuda::StreamPtr& stream) {
  stream.reset();
  if (is_missing(env, value)) return {};
  StreamHandle* handle = nullptr;
  Status status = find_alive(env, where, "stream", value, handle);
  if (status.ok()) stream = handle->target;
  return status;
}

Status check_stream_device(const std::string& where, const cuda::StreamPtr& stream, int device) {
  if (stream == nullptr || stream->device() == device) return {};
  return expected(Code::device_mismatch, where,
                  "a stream of " + name_of({DeviceKind::cuda, device}),
                  "a stream of " + name_of({DeviceKind::cuda, stream->device()}));
}

}  // namespace papo::addon
