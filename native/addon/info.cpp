// info(): versions, CUDA and its devices, instruction sets, threads, and the specs of all ops. configure(threads).
#include <cmath>

#include "addon/calls.hpp"
#include "addon/env.hpp"
#include "addon/errors.hpp"
#include "cpu/backend.hpp"
#include "cpu/parallel.hpp"
#include "cuda/backend.hpp"

namespace papo::addon {
namespace {

/// An array of `make(item)` for every item of a range.
template <typename Range, typename Make>
Napi::Array array_of(Napi::Env env, const Range& range, Make&& make) {
  Napi::Array array = Napi::Array::New(env);
  std::uint32_t index = 0;
  for (const auto& item : range) array.Set(index++, make(item));
  return array;
}

Napi::Array words(Napi::Env env, const List<const char*>& list) {
  return array_of(env, list, [&](const char* word) { return Napi::String::New(env, word); });
}

Napi::Object describe_tensor(Napi::Env env, const TensorSpec& spec) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", spec.name);
  Napi::Array dtypes = Napi::Array::New(env);
  for (const DType dtype : kAllDTypes) {
    if (contains(spec.dtypes, dtype)) dtypes.Set(dtypes.Length(), name_of(dtype));
  }
  object.Set("dtypes", dtypes);
  Napi::Array shape = Napi::Array::New(env);
  if (spec.layout == Layout::lines) shape.Set(0U, std::to_string(spec.lines.size));
  shape.Set(shape.Length(), "rows");
  if (spec.layout == Layout::matrix) shape.Set(1U, "vocab");
  object.Set("shape", shape);
  object.Set("required", spec.required);
  object.Set("lines", words(env, spec.lines));
  return object;
}

Napi::Object describe_attribute(Napi::Env env, const AttributeSpec& spec) {
  Napi::Object object = Napi::Object::New(env);
  const bool choice = spec.choices.size > 0;
  object.Set("name", spec.name);
  object.Set("kind", choice ? "choice" : "number");
  object.Set("choices", words(env, spec.choices));
  if (choice) {
    object.Set("default", spec.choices[static_cast<std::size_t>(spec.initial)]);
  } else {
    object.Set("default", spec.initial);
  }
  return object;
}

Napi::Object describe_op(Napi::Env env, const OpSpec& spec) {
  const auto tensor = [&](const TensorSpec& item) { return describe_tensor(env, item); };
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", spec.name);
  object.Set("inputs", array_of(env, spec.inputs, tensor));
  object.Set("outputs", array_of(env, spec.outputs, tensor));
  object.Set("attributes", array_of(env, spec.attributes, [&](const AttributeSpec& item) {
               return describe_attribute(env, item);
             }));
  return object;
}

/// CUDA's 13000 as "13.0"; nothing for 0.
std::string show_version(int version) {
  if (version == 0) return "";
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Napi::Object describe_device(Napi::Env env, const cuda::DeviceDescription& device) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("device", name_of({DeviceKind::cuda, device.index}));
  object.Set("name", device.name);
  object.Set("computeCapability",
             std::to_string(device.compute_major) + "." + std::to_string(device.compute_minor));
  object.Set("multiprocessors", device.multiprocessors);
  object.Set("memoryBytes", static_cast<double>(device.memory_bytes));
  object.Set("l2Bytes", static_cast<double>(device.l2_bytes));
  return object;
}

Napi::Object describe_cuda(Napi::Env env, const cuda::Runtime& runtime) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("built", runtime.built);
  object.Set("runtimeVersion", show_version(runtime.runtime_version));
  object.Set("driverVersion", show_version(runtime.driver_version));
  object.Set("unavailable", runtime.unavailable);
  object.Set("devices", array_of(env, runtime.devices, [&](const cuda::DeviceDescription& device) {
               return describe_device(env, device);
             }));
  return object;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

}  // namespace

Napi::Value configure(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<EnvState> state = state_of(env);
  if (!state->startup.ok()) {
    throw_status(env, state->startup);
    return env.Undefined();
  }
  double threads = 0;
  if (info[0].IsNumber()) threads = info[0].As<Napi::Number>().DoubleValue();
  if (!(threads >= 1 && threads <= 1024) || threads != std::floor(threads)) {
    throw_status(env, expected(Code::range, "papo", "threads to be an integer from 1 to 1024",
                               "something else"));
    return env.Undefined();
  }
  const std::size_t size = cpu::configure_threads(static_cast<std::size_t>(threads));
  return Napi::Number::New(env, static_cast<double>(size));
}

Napi::Value describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  object.Set("version", PAPO_VERSION);
  object.Set("napiVersion", NAPI_VERSION);
  object.Set("compiler", compiler());
  object.Set("isa", cpu::name_of(cpu::active_isa()));
  object.Set("isas", array_of(env, cpu::available_isas(), [&](cpu::Isa isa) {
               return Napi::String::New(env, cpu::name_of(isa));
             }));
  object.Set("threads", static_cast<double>(cpu::threads()));
  object.Set("cuda", describe_cuda(env, cuda::runtime()));
  object.Set("dtypes", array_of(env, kAllDTypes, [&](DType dtype) {
               return Napi::String::New(env, name_of(dtype));
             }));
  object.Set("ops", array_of(env, state_of(env)->registry.entries(),
                             [&](const OpEntry& entry) { return describe_op(env, *entry.spec); }));
  return object;
}

}  // namespace papo::addon
