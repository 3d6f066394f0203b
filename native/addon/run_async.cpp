// runAsync(op, inputs, outputs, attributes, cancel): the same call on a worker, its arrays held until it settles.
#include <utility>

#include "addon/calls.hpp"
#include "addon/errors.hpp"
#include "addon/prepared_call.hpp"

namespace papo::addon {
namespace {

class Worker : public Napi::AsyncWorker {
 public:
  Worker(Napi::Env env, PreparedCall prepared, Napi::Value cancel)
      : Napi::AsyncWorker(env, "papo"), prepared_(std::move(prepared)), deferred_(env) {
    Napi::Array arrays = Napi::Array::New(env, prepared_.held.size() + 1);
    std::uint32_t index = 0;
    for (napi_value value : prepared_.held) arrays.Set(index++, Napi::Value(env, value));
    arrays.Set(index, cancel);
    held_ = Napi::Persistent(static_cast<Napi::Object>(arrays));
    prepared_.held.clear();
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { status_ = prepared_.execute(); }

  void OnOK() override {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    if (status_.ok()) {
      deferred_.Resolve(env.Undefined());
    } else {
      deferred_.Reject(to_error(env, status_));
    }
  }

 private:
  PreparedCall prepared_;
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference held_;
  Status status_;
};

}  // namespace

Napi::Value run_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  PreparedCall prepared;
  Status status = prepare(info, prepared);
  if (status.ok()) status = read_cancellation(env, info[4], prepared.call.cancellation.flag);
  if (!status.ok()) {
    throw_status(env, status);
    return env.Undefined();
  }
  auto* worker = new Worker(env, std::move(prepared), info[4]);
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace papo::addon
