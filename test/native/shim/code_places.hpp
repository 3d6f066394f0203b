// Addresses in the program's code, small enough to be kept for every access, and as lines of its sources.
#pragma once

#include <cstdint>
#include <string>

namespace papo::shim {

/// The address a call returns to, as a distance from the program's first byte; 0 stays 0.
std::uint32_t place_of_code(const void* code);

/// " (row_walk.cuh:88)", as far as the debugger's information says so; empty for 0.
std::string describe_place(std::uint32_t place);

}  // namespace papo::shim
