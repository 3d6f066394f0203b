// The functions that JavaScript sees; see lib/addon/binding.ts for their contract.
#pragma once

#include <napi.h>

namespace papo::addon {

Napi::Value configure(const Napi::CallbackInfo& info);
Napi::Value describe(const Napi::CallbackInfo& info);
// In plain Node-API: a wrapper of so many arguments would cost as much as a small call.
napi_value run(napi_env env, napi_callback_info info);
napi_value run_async(napi_env env, napi_callback_info info);
Napi::Value watch_end(const Napi::CallbackInfo& info);
Napi::Value async_calls_elsewhere(const Napi::CallbackInfo& info);

Napi::Value allocate(const Napi::CallbackInfo& info);
Napi::Value wrap_pointer(const Napi::CallbackInfo& info);
Napi::Value buffer_info(const Napi::CallbackInfo& info);
Napi::Value free_buffer(const Napi::CallbackInfo& info);
Napi::Value allocate_pinned(const Napi::CallbackInfo& info);
Napi::Value memory_info(const Napi::CallbackInfo& info);

Napi::Value copy(const Napi::CallbackInfo& info);
Napi::Value copy_async(const Napi::CallbackInfo& info);
Napi::Value clear(const Napi::CallbackInfo& info);

Napi::Value create_stream(const Napi::CallbackInfo& info);
Napi::Value wrap_stream(const Napi::CallbackInfo& info);
Napi::Value stream_info(const Napi::CallbackInfo& info);
Napi::Value destroy_stream(const Napi::CallbackInfo& info);
Napi::Value synchronize(const Napi::CallbackInfo& info);
Napi::Value synchronize_async(const Napi::CallbackInfo& info);

Napi::Value create_event(const Napi::CallbackInfo& info);
Napi::Value record_event(const Napi::CallbackInfo& info);
Napi::Value wait_event(const Napi::CallbackInfo& info);
Napi::Value query_event(const Napi::CallbackInfo& info);
Napi::Value synchronize_event(const Napi::CallbackInfo& info);
Napi::Value synchronize_event_async(const Napi::CallbackInfo& info);
Napi::Value elapsed(const Napi::CallbackInfo& info);
Napi::Value destroy_event(const Napi::CallbackInfo& info);

}  // namespace papo::addon
