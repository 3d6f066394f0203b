// The module: what it exports, per environment.
#include <napi.h>

#include "addon/calls.hpp"
#include "addon/env.hpp"

namespace papo::addon {
namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  create_state(env);
  exports.Set("configure", Napi::Function::New(env, configure, "configure"));
  exports.Set("info", Napi::Function::New(env, describe, "info"));
  exports.Set("run", Napi::Function::New(env, run, "run"));
  exports.Set("runAsync", Napi::Function::New(env, run_async, "runAsync"));
  return exports;
}

}  // namespace
}  // namespace papo::addon

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  return papo::addon::initialize(env, exports);
}

NODE_API_MODULE(papo, initialize)
