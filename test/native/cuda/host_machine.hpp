// The machine of the host side's tests: two simulated H200s.
#pragma once

#include <cstddef>
#include <string>

#include "shim/shim.hpp"

namespace papo::cuda {

/// A machine that has just been switched on, for one test; what calls left on the devices is let go of first.
class FreshMachine {
 public:
  explicit FreshMachine(std::size_t memory_bytes = std::size_t{64} << 20);
  ~FreshMachine();
  FreshMachine(const FreshMachine&) = delete;
  FreshMachine& operator=(const FreshMachine&) = delete;
};

}  // namespace papo::cuda
