#include "addon/env.hpp"

#include "cpu/backend.hpp"
#include "cuda/backend.hpp"

namespace papo::addon {

using Holder = std::shared_ptr<EnvState>;

void create_state(Napi::Env env) {
  auto holder = std::make_unique<Holder>(std::make_shared<EnvState>());
  const Holder ending = *holder;
  EnvState& state = **holder;
  state.startup = cpu::register_cpu_kernels(state.registry);
  cuda::register_cuda_kernels(state.registry);
  env.SetInstanceData<Holder>(holder.release());
  // Runs before the instance data is deleted.
  env.AddCleanupHook([ending] { ending->calls.close(); });
}

std::shared_ptr<EnvState> state_of(Napi::Env env) { return *env.GetInstanceData<Holder>(); }

const EnvState& current_state(Napi::Env env) { return **env.GetInstanceData<Holder>(); }

}  // namespace papo::addon
