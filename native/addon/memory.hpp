// Where the bytes of a call lie: in a typed array, or in a device buffer from some byte on.
#pragma once

#include <napi.h>

#include <string>

#include "addon/env.hpp"
#include "addon/held.hpp"
#include "core/device.hpp"
#include "core/dtype.hpp"
#include "core/status.hpp"

namespace papo::addon {

/// Memory as JavaScript described it, before any address was taken.
struct MemoryArgument {
  napi_value data = nullptr;
  bool is_array = false;
  std::size_t byte_offset = 0;
};

/// Bytes on a device or on the host; `type` is that of the typed array.
struct Location {
  void* data = nullptr;
  std::size_t bytes = 0;
  Device device;
  napi_typedarray_type type = napi_uint8_array;
};

/// Reads `data` of a tensor or an area; its getter may run any JavaScript.
Status read_data(napi_env env, const std::string& where, napi_value object,
                 MemoryArgument& argument);

/// Takes the address and lets `held` keep what is ours of it; runs no JavaScript.
Status locate(napi_env env, const EnvState& state, const std::string& where,
              const std::string& name, const MemoryArgument& argument, Location& location,
              HeldMemory& held);

/// Whether elements of a typed array are of this dtype.
bool carries(napi_typedarray_type type, DType dtype);

/// What a property's getter leaves behind when it throws; its own exception is pending and goes first.
Status getter_threw(const std::string& where);

}  // namespace papo::addon
