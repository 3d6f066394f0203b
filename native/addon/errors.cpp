#include "addon/errors.hpp"

namespace papo::addon {

Napi::Value to_error(Napi::Env env, const Status& status) {
  napi_value message = nullptr;
  napi_value error = nullptr;
  napi_create_string_utf8(env, status.message().data(), status.message().size(), &message);
  napi_create_error(env, nullptr, message, &error);
  napi_property_descriptor properties[2] = {};
  properties[0].utf8name = "code";
  napi_create_string_utf8(env, name_of(status.code()), NAPI_AUTO_LENGTH, &properties[0].value);
  properties[1].utf8name = "row";
  napi_create_double(env, static_cast<double>(status.row()), &properties[1].value);
  for (napi_property_descriptor& property : properties) {
    property.attributes = napi_default_jsproperty;
  }
  napi_define_properties(env, error, status.row() == Status::kNoRow ? 1 : 2, properties);
  return {env, error};
}

void throw_status(Napi::Env env, const Status& status) {
  if (env.IsExceptionPending()) return;
  napi_throw(env, to_error(env, status));
}

Napi::Value ended(Napi::Env env, const Status& status) {
  if (!status.ok()) throw_status(env, status);
  return env.Undefined();
}

}  // namespace papo::addon
