#include "addon/errors.hpp"

namespace papo::addon {

Napi::Value to_error(Napi::Env env, const Status& status) {
  const Napi::Error error = Napi::Error::New(env, status.message());
  Napi::Object object = error.Value();
  object.Set("code", Napi::String::New(env, name_of(status.code())));
  if (status.row() != Status::kNoRow) {
    object.Set("row", Napi::Number::New(env, static_cast<double>(status.row())));
  }
  return object;
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
