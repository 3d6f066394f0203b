// A call that was read and may run: shared by `run` and `runAsync`.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "addon/args.hpp"
#include "addon/env.hpp"

namespace papo::addon {

struct PreparedCall {
  std::shared_ptr<EnvState> state;
  const OpEntry* entry = nullptr;
  OpCall call;
  std::vector<napi_value> held;

  Status execute() const { return state->registry.run(*entry, call); }
};

/// Reads (op, inputs, outputs, attributes) of a JavaScript call.
inline Status prepare(const Napi::CallbackInfo& info, PreparedCall& prepared) {
  const Napi::Env env = info.Env();
  prepared.state = state_of(env);
  if (!prepared.state->startup.ok()) return prepared.state->startup;
  if (!info[0].IsString())
    return expected(Code::argument, "papo", "the name of an op", "something else");
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  prepared.entry = prepared.state->registry.find(name);
  if (prepared.entry == nullptr) {
    return expected(Code::argument, "papo", "the name of an op", "\"" + name.substr(0, 40) + "\"");
  }
  prepared.call.cancellation.environment = &prepared.state->closing;
  return read_call(env, *prepared.entry->spec, info[1], info[2], info[3], prepared.call,
                   prepared.held);
}

}  // namespace papo::addon
