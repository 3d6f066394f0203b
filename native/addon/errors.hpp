// Status -> JavaScript Error with `code` and, where there is one, `row`.
#pragma once

#include <napi.h>

#include "core/status.hpp"

namespace papo::addon {

/// Asks for no memory but the runtime's own, and runs no JavaScript.
Napi::Value to_error(Napi::Env env, const Status& status);

/// Throws into JavaScript, unless something is thrown already.
void throw_status(Napi::Env env, const Status& status);

/// What a function without a result returns: undefined, or the status thrown.
Napi::Value ended(Napi::Env env, const Status& status);

}  // namespace papo::addon
