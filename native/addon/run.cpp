// run(op, inputs, outputs, attributes): on this thread, the pool helping.
#include "addon/calls.hpp"
#include "addon/errors.hpp"
#include "addon/prepared_call.hpp"

namespace papo::addon {

Napi::Value run(const Napi::CallbackInfo& info) {
  PreparedCall prepared;
  Status status = prepare(info, prepared);
  if (status.ok()) status = prepared.execute();
  if (!status.ok()) throw_status(info.Env(), status);
  return info.Env().Undefined();
}

}  // namespace papo::addon
