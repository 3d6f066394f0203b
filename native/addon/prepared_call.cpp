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

}  // namespace

Status prepare(const Napi::CallbackInfo& info, std::size_t stream_index, PreparedCall& prepared,
               HeldValues& values) {
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
  Status status = read_call(env, *prepared.state, *prepared.entry->spec, info[1], info[2], info[3],
                            prepared.call, prepared.memory, values);
  if (!status.ok() || info.Length() <= stream_index || info[stream_index].IsUndefined()) {
    return status;
  }
  return take_stream(env, info[stream_index], prepared, values);
}

}  // namespace papo::addon
