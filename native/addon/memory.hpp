// Where the bytes of a call lie: in a typed array, or in a device buffer from some byte on.
#pragma once

#include <napi.h>

#include "addon/env.hpp"
#include "addon/held.hpp"
#include "core/device.hpp"
#include "core/dtype.hpp"
#include "core/status.hpp"

namespace papo::addon {

/// All bytes of it, on a device or on the host; `type` is that of the typed array.
struct Location {
  void* data = nullptr;
  std::size_t bytes = 0;
  Device device;
  napi_typedarray_type type = napi_uint8_array;
};

/// Takes the address and lets `held` keep what is ours of it; runs no JavaScript. `where` and `name` are C++ or
/// TypeScript words: they are spelled for messages only.
Status locate(napi_env env, const EnvState& state, const char* where, const char* name,
              napi_value data, Location& location, HeldMemory& held);

/// Whether elements of a typed array are of this dtype.
bool carries(napi_typedarray_type type, DType dtype);

}  // namespace papo::addon
