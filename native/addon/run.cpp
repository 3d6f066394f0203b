// run(op, numbers, stream, ...memory): on this thread, the pool helping.
#include "addon/calls.hpp"
#include "addon/errors.hpp"
#include "addon/prepared_call.hpp"

namespace papo::addon {

napi_value run(napi_env env, napi_callback_info info) {
  const Status outcome = caught([&] {
    const OpArguments arguments(env, info, 3);
    PreparedCall prepared;
    HeldValues values;
    Status status = prepare(arguments, current_state(env), prepared, values);
    if (status.ok()) status = prepared.execute();
    return status;
  });
  if (!outcome.ok()) throw_status(env, outcome);
  return nullptr;
}

}  // namespace papo::addon
