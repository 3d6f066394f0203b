// runAsync(op, inputs, outputs, attributes, cancel, stream): the same call on a worker, its arrays held until it settles.
#include <utility>

#include "addon/async_task.hpp"
#include "addon/calls.hpp"
#include "addon/errors.hpp"
#include "addon/prepared_call.hpp"

namespace papo::addon {

Napi::Value run_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  PreparedCall prepared;
  HeldValues values;
  Status status = prepare(info, 5, prepared, values);
  if (status.ok()) status = read_cancellation(env, info[4], prepared.call.cancellation.flag);
  if (!status.ok()) return ended(env, status);
  values.keep(info[4]);
  return start(env, values, [prepared = std::move(prepared)] { return prepared.execute(); });
}

}  // namespace papo::addon
