// runAsync(op, numbers, stream, cancel, ...memory): the same call on a worker, its memory held until it settles.
// watchEnd(): the calls of a worker of Node stop when that is terminated.
// asyncCallsElsewhere(): how many calls the process's other environments have.
#include <utility>

#include "addon/async_task.hpp"
#include "addon/calls.hpp"
#include "addon/errors.hpp"
#include "addon/prepared_call.hpp"

namespace papo::addon {

napi_value run_async(napi_env env, napi_callback_info info) {
  napi_value promise = nullptr;
  const Status outcome = caught([&] {
    const OpArguments arguments(env, info, 4);
    std::shared_ptr<const EnvState> state = state_of(env);
    PreparedCall prepared;
    HeldValues values;
    Status status = prepare(arguments, *state, prepared, values);
    if (status.ok()) {
      status = read_cancellation(env, arguments[3], prepared.call.cancellation.flag);
    }
    if (!status.ok()) return status;
    values.keep(arguments[3]);
    promise = start(env, values, [state = std::move(state), prepared = std::move(prepared)] {
      return prepared.execute();
    });
    return status;
  });
  return outcome.ok() ? promise : ended(env, outcome);
}

Napi::Value watch_end(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  const std::shared_ptr<EnvState> state = state_of(env);
  return Napi::Boolean::New(env, state->watch.start(env, state->calls));
}

Napi::Value async_calls_elsewhere(const Napi::CallbackInfo& info) {
  const std::size_t calls = current_state(info.Env()).calls.elsewhere();
  return Napi::Number::New(info.Env(), static_cast<double>(calls));
}

}  // namespace papo::addon
