// The memory of an ArrayBuffer, held beyond what JavaScript does with the buffer.
#pragma once

#include <napi.h>

#include <memory>

namespace papo::addon {

/// Keeps the memory of a typed array (or ArrayBuffer) from being freed; null for other values, and where this runtime
/// gives no way to do it.
///
/// A reference to an ArrayBuffer does not: once it is transferred, its memory is another buffer's, and is gone when
/// that one is collected, in whatever thread. Node-API knows no way to hold memory; V8's own interface does.
std::shared_ptr<void> array_memory(napi_env env, napi_value value);

}  // namespace papo::addon
