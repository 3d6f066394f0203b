// run(op, inputs, outputs, attributes, stream): on this thread, the pool helping.
#include "addon/calls.hpp"
#include "addon/errors.hpp"
#include "addon/prepared_call.hpp"

namespace papo::addon {

Napi::Value run(const Napi::CallbackInfo& info) {
  PreparedCall prepared;
  HeldValues values;
  Status status = prepare(info, 4, prepared, values);
  if (status.ok()) status = prepared.execute();
  return ended(info.Env(), status);
}

}  // namespace papo::addon
