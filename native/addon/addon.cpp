// The module: what it exports, per environment.
#include <napi.h>

#include <utility>

#include "addon/calls.hpp"
#include "addon/env.hpp"
#include "addon/errors.hpp"

namespace papo::addon {
namespace {

using Function = Napi::Value (*)(const Napi::CallbackInfo&);

struct Export {
  const char* name;
  Function function;
};

/// `function`, whose exceptions become JavaScript's.
template <Function function>
Napi::Value safely(const Napi::CallbackInfo& info) {
  Napi::Value result;
  const Status outcome = caught([&] {
    result = function(info);
    return Status();
  });
  return outcome.ok() ? result : ended(info.Env(), outcome);
}

constexpr Export kExports[] = {
    {"configure", safely<configure>},
    {"info", safely<describe>},
    {"watchEnd", safely<watch_end>},
    {"asyncCallsElsewhere", safely<async_calls_elsewhere>},
    {"allocate", safely<allocate>},
    {"wrapPointer", safely<wrap_pointer>},
    {"bufferInfo", safely<buffer_info>},
    {"free", safely<free_buffer>},
    {"allocatePinned", safely<allocate_pinned>},
    {"memoryInfo", safely<memory_info>},
    {"copy", safely<copy>},
    {"copyAsync", safely<copy_async>},
    {"clear", safely<clear>},
    {"createStream", safely<create_stream>},
    {"wrapStream", safely<wrap_stream>},
    {"streamInfo", safely<stream_info>},
    {"destroyStream", safely<destroy_stream>},
    {"synchronize", safely<synchronize>},
    {"synchronizeAsync", safely<synchronize_async>},
    {"createEvent", safely<create_event>},
    {"recordEvent", safely<record_event>},
    {"waitEvent", safely<wait_event>},
    {"queryEvent", safely<query_event>},
    {"synchronizeEvent", safely<synchronize_event>},
    {"synchronizeEventAsync", safely<synchronize_event_async>},
    {"elapsed", safely<elapsed>},
    {"destroyEvent", safely<destroy_event>},
};

void initialize(Napi::Env env, Napi::Object exports) {
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
}

}  // namespace
}  // namespace papo::addon

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  const papo::Status outcome = papo::caught([&] {
    papo::addon::initialize(env, exports);
    return papo::Status();
  });
  if (!outcome.ok()) papo::addon::throw_status(env, outcome);
  return exports;
}

NODE_API_MODULE(papo, initialize)
