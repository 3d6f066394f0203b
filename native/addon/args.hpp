// JavaScript values -> OpCall, guided by the op's spec. Nothing here trusts what came.
#pragma once

#include <napi.h>

#include "addon/env.hpp"
#include "addon/held.hpp"
#include "core/status.hpp"
#include "ops/op_call.hpp"

namespace papo::addon {

/// Reads `inputs`, `outputs` and `attributes` into `call`; `memory` and `values` get whatever it points to.
///
/// All properties are read first: a getter may run any JavaScript, detach or free a buffer included. Only then are
/// addresses taken, with no JavaScript in between. If a getter threw, its exception is pending and the status is not ok.
Status read_call(Napi::Env env, const EnvState& state, const OpSpec& spec, Napi::Value inputs,
                 Napi::Value outputs, Napi::Value attributes, OpCall& call, HeldMemory& memory,
                 HeldValues& values);

/// A cancellation flag: an Int32Array of at least one element, or undefined.
Status read_cancellation(Napi::Env env, Napi::Value value, const std::int32_t*& flag);

}  // namespace papo::addon
