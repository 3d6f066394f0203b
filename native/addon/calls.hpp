// The functions that JavaScript sees; see lib/addon/binding.ts for their contract.
#pragma once

#include <napi.h>

namespace papo::addon {

Napi::Value configure(const Napi::CallbackInfo& info);
Napi::Value describe(const Napi::CallbackInfo& info);
Napi::Value run(const Napi::CallbackInfo& info);
Napi::Value run_async(const Napi::CallbackInfo& info);

}  // namespace papo::addon
