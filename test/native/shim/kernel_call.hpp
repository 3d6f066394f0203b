// A kernel with copies of its arguments, as every thread of a grid calls it.
#pragma once

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace papo::shim {

/// No std::function: between it and a kernel there must be no code that a sanitizer knows of (see races.hpp).
struct KernelCall {
  std::shared_ptr<const void> arguments;
  void (*run)(const void* arguments) = nullptr;

  void operator()() const { run(arguments.get()); }
};

/// cudaLaunchKernelExC sees only addresses: how to call a kernel is noted wherever its type is seen.
using Binder = KernelCall (*)(const void* kernel, void** arguments);
void know_kernel(const void* kernel, Binder binder);

template <typename... Arguments>
struct BoundKernel {
  void (*kernel)(Arguments...);
  std::tuple<std::decay_t<Arguments>...> arguments;

  static void run(const void* bound) {
    const auto& self = *static_cast<const BoundKernel*>(bound);
    std::apply(self.kernel, self.arguments);
  }

  template <std::size_t... indices>
  static KernelCall bind(const void* kernel, void** arguments, std::index_sequence<indices...>) {
    const auto function = reinterpret_cast<void (*)(Arguments...)>(const_cast<void*>(kernel));
    return {std::make_shared<BoundKernel>(BoundKernel{
                function, {*static_cast<std::decay_t<Arguments>*>(arguments[indices])...}}),
            run};
  }
};

/// The kernel's address, once it is known how to call it.
template <typename... Arguments>
const void* known(void (*kernel)(Arguments...)) {
  const void* address = reinterpret_cast<const void*>(kernel);
  know_kernel(address, [](const void* function, void** arguments) {
    return BoundKernel<Arguments...>::bind(function, arguments,
                                           std::index_sequence_for<Arguments...>());
  });
  return address;
}

}  // namespace papo::shim
