#include "addon/array_memory.hpp"

#include <cstdint>
#include <cstring>

#if defined(__GLIBCXX__) && defined(__linux__)
#define PAPO_V8_MEMORY 1
#define PAPO_V8_SHARED_PTR "St10shared_ptr"
#elif defined(_LIBCPP_VERSION) && defined(__APPLE__)
#define PAPO_V8_MEMORY 1
#define PAPO_V8_SHARED_PTR "NSt3__110shared_ptr"
#else
#define PAPO_V8_MEMORY 0
#endif

#if PAPO_V8_MEMORY
#include <dlfcn.h>
#endif

namespace papo::addon {
namespace {

#if PAPO_V8_MEMORY

class BackingStore;

/// `std::shared_ptr<BackingStore> ArrayBuffer::GetBackingStore()`. A member function takes its object as a first
/// argument; that of V8 is the slot of a handle, which is what a `napi_value` is.
using GetBackingStore = std::shared_ptr<BackingStore> (*)(napi_value buffer);

/// Releases of Node in which this was tried; an unknown one is left alone.
constexpr std::uint32_t kOldest = 20;
constexpr std::uint32_t kNewest = 26;

/// Null unless the runtime is a Node that was tried, built with the standard library that this was compiled with: the
/// name of a function that takes a `std::shared_ptr<BackingStore>` says so.
GetBackingStore find_function(napi_env env) {
  const napi_node_version* version = nullptr;
  if (napi_get_node_version(env, &version) != napi_ok ||
      std::strcmp(version->release, "node") != 0 || version->major < kOldest ||
      version->major > kNewest) {
    return nullptr;
  }
  constexpr const char* kSameLibrary =
      "_ZN2v811ArrayBuffer3NewEPNS_7IsolateE" PAPO_V8_SHARED_PTR "INS_12BackingStoreEE";
  void* const same_library = dlsym(RTLD_DEFAULT, kSameLibrary);
  void* const function = dlsym(RTLD_DEFAULT, "_ZN2v811ArrayBuffer15GetBackingStoreEv");
  // Bun calls itself Node, too, and exports functions by V8's names whose handles are others: it lacks this one.
  void* const own_start = dlsym(RTLD_DEFAULT, "_ZN4node5StartEiPPc");
  if (same_library == nullptr || function == nullptr || own_start == nullptr) return nullptr;
  // Both from the binary that Node-API is in, and not from somebody's stand-in.
  Dl_info own;
  Dl_info other;
  if (dladdr(reinterpret_cast<void*>(&napi_get_node_version), &own) == 0 ||
      dladdr(function, &other) == 0 || own.dli_fbase != other.dli_fbase) {
    return nullptr;
  }
  return reinterpret_cast<GetBackingStore>(function);
}

std::shared_ptr<void> memory_of(napi_env env, napi_value buffer) {
  static const GetBackingStore get = find_function(env);
  return get == nullptr ? nullptr : std::shared_ptr<void>(get(buffer));
}

#else

std::shared_ptr<void> memory_of(napi_env, napi_value) { return nullptr; }

#endif

}  // namespace

std::shared_ptr<void> array_memory(napi_env env, napi_value value) {
  bool is_array = false;
  napi_is_typedarray(env, value, &is_array);
  napi_value buffer = value;
  if (is_array && napi_get_typedarray_info(env, value, nullptr, nullptr, nullptr, &buffer,
                                           nullptr) != napi_ok) {
    return nullptr;
  }
  bool is_buffer = false;
  napi_is_arraybuffer(env, buffer, &is_buffer);
  return is_buffer ? memory_of(env, buffer) : nullptr;
}

}  // namespace papo::addon
