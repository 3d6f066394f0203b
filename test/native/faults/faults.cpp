// Memory and threads that run out when a test says so, for an addon under test. Preloaded, and loaded as an addon itself:
// the exports arm it.
//
//   LD_PRELOAD=faults.node node -e 'require("faults.node").arm(path, 3, false, -1)'
//
// Only requests of the addon's own code fail (directly, or through the standard library), never Node's.
#include <dlfcn.h>
#include <link.h>
#include <node_api.h>
#include <pthread.h>
#include <unwind.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

namespace {

std::atomic<long> allowed{-1};  // requests that are still granted; -1 for all
std::atomic<bool> lasting{false};
std::atomic<long> failed{0};
std::atomic<long> threads_allowed{-1};

// Pieces of memory that the addon's code asked for and has not given back.
constexpr std::size_t kMost = 1 << 16;
void* pieces[kMost];
std::size_t count = 0;
std::mutex guard;

/// Where a binary lies in memory.
struct Home {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  bool has(std::uintptr_t address) const { return address >= begin && address < end; }
};

/// That of the binary that `address` belongs to.
Home home_of(const void* address) {
  Home home;
  home.begin = reinterpret_cast<std::uintptr_t>(address);
  const auto look = [](dl_phdr_info* info, std::size_t, void* data) {
    auto* result = static_cast<Home*>(data);
    Home found{~std::uintptr_t{0}, 0};
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
      const std::uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      if (begin < found.begin) found.begin = begin;
      const std::uintptr_t end = begin + info->dlpi_phdr[i].p_memsz;
      if (end > found.end) found.end = end;
    }
    if (!found.has(result->begin)) return 0;
    *result = found;
    return 1;
  };
  dl_iterate_phdr(look, &home);
  return home;
}

Home addon;  // empty while nothing is watched
const Home own = home_of(reinterpret_cast<const void*>(&home_of));
const Home library = home_of(dlsym(RTLD_NEXT, "_Znwm"));

_Unwind_Reason_Code look(_Unwind_Context* context, void* by_addon) {
  const std::uintptr_t address = _Unwind_GetIP(context);
  *static_cast<bool*>(by_addon) = addon.has(address);
  return own.has(address) || library.has(address) ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/// Whether the first code on the stack that is neither this library's nor the standard one's is the addon's.
bool asked_by_addon(void* caller) {
  const auto address = reinterpret_cast<std::uintptr_t>(caller);
  if (addon.end == 0 || addon.has(address)) return addon.end != 0;
  if (!library.has(address)) return false;
  bool by_addon = false;
  _Unwind_Backtrace(look, &by_addon);
  return by_addon;
}

bool granted(std::atomic<long>& left) {
  const long now = left.load();
  if (now < 0) return true;
  if (now > 0) {
    left = now - 1;
    return true;
  }
  if (!lasting) left = -1;
  ++failed;
  return false;
}

void* request(std::size_t bytes, void* caller) {
  const bool by_addon = asked_by_addon(caller);
  if (by_addon) {
    const std::lock_guard<std::mutex> lock(guard);
    if (!granted(allowed)) return nullptr;
  }
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (by_addon && memory != nullptr) {
    const std::lock_guard<std::mutex> lock(guard);
    if (count < kMost) pieces[count++] = memory;
  }
  return memory;
}

void give_back(void* memory) {
  if (addon.end != 0 && memory != nullptr) {
    const std::lock_guard<std::mutex> lock(guard);
    for (std::size_t i = count; i-- > 0;) {
      if (pieces[i] != memory) continue;
      pieces[i] = pieces[--count];
      break;
    }
  }
  std::free(memory);
}

napi_value number(napi_env env, long value) {
  napi_value result = nullptr;
  napi_create_int64(env, value, &result);
  return result;
}

/// arm(path, requests granted before one fails or -1, whether all later ones fail too, threads granted or -1)
napi_value arm(napi_env env, napi_callback_info info) {
  std::size_t argc = 4;
  napi_value argv[4];
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  char path[4096] = {};
  std::size_t length = 0;
  napi_get_value_string_utf8(env, argv[0], path, sizeof path, &length);
  std::int64_t requests = -1;
  std::int64_t threads = -1;
  bool last = false;
  napi_get_value_int64(env, argv[1], &requests);
  napi_get_value_bool(env, argv[2], &last);
  napi_get_value_int64(env, argv[3], &threads);
  void* const library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
  const void* entry = library == nullptr ? nullptr : dlsym(library, "napi_register_module_v1");
  if (entry == nullptr) {
    napi_throw_error(env, nullptr, "no such addon is loaded");
    return nullptr;
  }
  failed = 0;
  lasting = last;
  allowed = requests;
  threads_allowed = threads;
  addon = home_of(entry);
  return nullptr;
}

/// disarm(): how many requests failed
napi_value disarm(napi_env env, napi_callback_info) {
  allowed = -1;
  threads_allowed = -1;
  return number(env, failed.load());
}

/// held(): pieces of memory that are out
napi_value held(napi_env env, napi_callback_info) {
  const std::lock_guard<std::mutex> lock(guard);
  return number(env, static_cast<long>(count));
}

}  // namespace

void* operator new(std::size_t bytes) {
  void* memory = request(bytes, __builtin_return_address(0));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t bytes) {
  void* memory = request(bytes, __builtin_return_address(0));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }

extern "C" {

// std::thread's start in the standard library calls it; Node's own threads are begun elsewhere.
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) {
  using Create = decltype(&pthread_create);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (asked_by_addon(__builtin_return_address(0)) && !granted(threads_allowed)) return EAGAIN;
  return create(thread, attributes, start, argument);
}

NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback function;
  } entries[] = {{"arm", arm}, {"disarm", disarm}, {"held", held}};
  for (const auto& [name, function] : entries) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}

NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1() { return 8; }
}
