// allocatePinned(bytes): an ArrayBuffer over page-locked memory.
#include "addon/pinned.hpp"

#include <cstring>

#include "addon/calls.hpp"
#include "addon/env.hpp"
#include "addon/errors.hpp"
#include "addon/values.hpp"
#include "cuda/memory.hpp"

namespace papo::addon {
namespace {

/// What an ArrayBuffer keeps of its memory.
struct PinnedBuffer {
  std::shared_ptr<EnvState> state;
  std::shared_ptr<void> memory;
};

/// When the memory is no ArrayBuffer's any more, on the environment's thread, at the latest when that goes down.
void let_go(napi_env, void* data, void* hint) {
  const std::unique_ptr<PinnedBuffer> buffer(static_cast<PinnedBuffer*>(hint));
  buffer->state->pinned.remove(data);
}

Napi::Value refuse_transfer(const Napi::CallbackInfo& info) {
  return ended(info.Env(),
               {Code::buffer, "[transfer] page-locked memory stays with its ArrayBuffer"});
}

/// Node refuses to send such a buffer to another thread, but not what `transfer()` makes of it; and a thread that ends
/// takes its memory along, whoever has it by then. So the two methods are shadowed.
void forbid_transfer(Napi::Env env, Napi::Object buffer) {
  const Napi::Function refuse = Napi::Function::New(env, refuse_transfer, "transfer");
  for (const char* const name : {"transfer", "transferToFixedLength"}) {
    buffer.DefineProperty(Napi::PropertyDescriptor::Value(name, refuse, napi_default));
  }
}

Status refusal(napi_env env, napi_status status, std::size_t bytes) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  napi_value thrown;
  // Of the runtime's own (a buffer too large); ours says more.
  if (pending) napi_get_and_clear_last_exception(env, &thrown);
  if (status == napi_no_external_buffers_allowed) {
    return {Code::unsupported,
            "[allocatePinned] this runtime allows no ArrayBuffer over memory that it did not "
            "allocate itself"};
  }
  return expected(Code::unsupported, "allocatePinned", "bytes that this runtime lets a buffer have",
                  std::to_string(bytes));
}

}  // namespace

Napi::Value allocate_pinned(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string where = "allocatePinned";
  std::size_t bytes = 0;
  Status status = read_count(env, where, "bytes", info[0], bytes);
  std::shared_ptr<void> memory;
  if (status.ok()) status = cuda::allocate_pinned(where, bytes, memory);
  if (!status.ok()) return ended(env, status);
  // Node takes memory of no bytes for no memory at all.
  if (bytes == 0) return Napi::ArrayBuffer::New(env, 0);

  const std::shared_ptr<EnvState> state = state_of(env);
  auto owner = std::make_unique<PinnedBuffer>(PinnedBuffer{state, memory});
  state->pinned.add(memory, bytes);
  PinnedBuffer* const buffer = owner.release();
  napi_value result = nullptr;
  const napi_status created =
      napi_create_external_arraybuffer(env, memory.get(), bytes, let_go, buffer, &result);
  if (created != napi_ok) {
    // Some refusals call `let_go` later, others never: the few bytes of `buffer` are left to it.
    state->pinned.remove(memory.get());
    buffer->memory.reset();
    return ended(env, refusal(env, created, bytes));
  }
  forbid_transfer(env, Napi::Object(env, result));
  std::memset(memory.get(), 0, bytes);
  return {env, result};
}

}  // namespace papo::addon
