#include "addon/prepared_call.hpp"

#include "addon/objects.hpp"
#include "addon/values.hpp"

namespace papo::addon {
namespace {

/// A tensor of the call that lies on a device, or null; the registry sees to it that they share one.
const TensorView* device_tensor(const OpCall& call) {
  for (std::size_t i = 0; i < call.spec->inputs.size; ++i) {
    if (call.inputs[i].device.kind != DeviceKind::cpu) return &call.inputs[i];
  }
  for (std::size_t i = 0; i < call.spec->outputs.size; ++i) {
    if (call.outputs[i].device.kind != DeviceKind::cpu) return &call.outputs[i];
  }
  return nullptr;
}

Status take_stream(napi_env env, napi_value value, PreparedCall& prepared, HeldValues& values) {
  const std::string where = camel_case(prepared.entry->spec->name);
  cuda::StreamPtr stream;
  Status status = find_stream(env, where, value, stream);
  const TensorView* on_device = device_tensor(prepared.call);
  if (!status.ok() || stream == nullptr || on_device == nullptr) return status;
  status = check_stream_device(where, stream, on_device->device.index);
  prepared.call.stream = stream->handle();
  prepared.memory.push_back(std::move(stream));
  values.keep(value);
  return status;
}

/// The op of an index, or null.
const OpEntry* find_op(napi_env env, napi_value value, const Registry& registry) {
  double number = -1;
  std::size_t index = 0;
  napi_get_value_double(env, value, &number);
  const bool found = count_of(number, index) && index < registry.entries().size();
  return found ? &registry.entries()[index] : nullptr;
}

}  // namespace

OpArguments::OpArguments(napi_env env, napi_callback_info info, std::size_t leading)
    : env_(env), leading_(leading) {
  napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr);
}

MemoryValues OpArguments::memory() const {
  return {values_ + leading_, count_ > leading_ ? count_ - leading_ : 0};
}

Status prepare(const OpArguments& arguments, const EnvState& state, PreparedCall& prepared,
               HeldValues& values) {
  if (!state.startup.ok()) return state.startup;
  const napi_env env = arguments.env();
  prepared.state = &state;
  prepared.entry = find_op(env, arguments[0], state.registry);
  if (prepared.entry == nullptr) {
    return expected(Code::argument, "papo", "the index of an op", described(env, arguments[0]));
  }
  prepared.call.cancellation.caller = &state;
  Status status = read_call(env, state, *prepared.entry->spec, arguments[1], arguments.memory(),
                            prepared.call, prepared.memory, values);
  if (!status.ok() || type_of(env, arguments[2]) == napi_undefined) return status;
  return take_stream(env, arguments[2], prepared, values);
}

}  // namespace papo::addon
