// The module: what it exports, per environment.
#include <napi.h>

#include <utility>

#include "addon/calls.hpp"
#include "addon/env.hpp"

namespace papo::addon {
namespace {

struct Export {
  const char* name;
  Napi::Value (*function)(const Napi::CallbackInfo&);
};

constexpr Export kExports[] = {
    {"configure", configure},
    {"info", describe},
    {"allocate", allocate},
    {"wrapPointer", wrap_pointer},
    {"bufferInfo", buffer_info},
    {"free", free_buffer},
    {"allocatePinned", allocate_pinned},
    {"memoryInfo", memory_info},
    {"copy", copy},
    {"copyAsync", copy_async},
    {"clear", clear},
    {"createStream", create_stream},
    {"wrapStream", wrap_stream},
    {"streamInfo", stream_info},
    {"destroyStream", destroy_stream},
    {"synchronize", synchronize},
    {"synchronizeAsync", synchronize_async},
    {"createEvent", create_event},
    {"recordEvent", record_event},
    {"waitEvent", wait_event},
    {"queryEvent", query_event},
    {"synchronizeEvent", synchronize_event},
    {"synchronizeEventAsync", synchronize_event_async},
    {"elapsed", elapsed},
    {"destroyEvent", destroy_event},
};

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  create_state(env);
  exports.Set("version", PAPO_VERSION);
  const std::pair<const char*, napi_callback> ops[] = {{"run", run}, {"runAsync", run_async}};
  for (const auto& [name, callback] : ops) {
    napi_value function = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    exports.Set(name, function);
  }
  for (const Export& entry : kExports) {
    exports.Set(entry.name, Napi::Function::New(env, entry.function, entry.name));
  }
  return exports;
}

}  // namespace
}  // namespace papo::addon

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  return papo::addon::initialize(env, exports);
}

NODE_API_MODULE(papo, initialize)
