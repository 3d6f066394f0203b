// Asks addr2line, which every toolchain brings, for the line of an address. Only reports do this.
#include "shim/code_places.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "shim/report.hpp"

#ifdef PAPO_SHIM_RACES

extern "C" char __executable_start;  // NOLINT: the linker's name

namespace papo::shim {

std::uint32_t place_of_code(const void* code) {
  if (code == nullptr) return 0;
  return static_cast<std::uint32_t>(static_cast<const char*>(code) - &__executable_start);
}

std::string describe_place(std::uint32_t place) {
  if (place == 0) return {};
  char program[1024] = {};
  if (readlink("/proc/self/exe", program, sizeof program - 1) <= 0) return {};
  // The call itself lies before the address it returns to.
  const std::string command =
      text("addr2line -i -e '%s' 0x%x 2>/dev/null", program, static_cast<unsigned>(place - 1));
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) return {};
  // From the innermost inlined function outwards; the first that is the kernel's own is what the reader looks for.
  char line[1024];
  std::string found;
  while (std::fgets(line, sizeof line, output) != nullptr) {
    const char* slash = std::strrchr(line, '/');
    std::string name = slash != nullptr ? slash + 1 : line;
    name.erase(std::min(name.find_first_of(" \n"), name.size()));
    const bool is_shim = name.rfind("dev.hpp:", 0) == 0;
    if (found.empty() || found.rfind("dev.hpp:", 0) == 0) found = name;
    if (!is_shim) break;
  }
  pclose(output);
  return found.empty() || found[0] == '?' ? text(" (code 0x%x)", place) : " (" + found + ")";
}

}  // namespace papo::shim

#else

namespace papo::shim {

std::uint32_t place_of_code(const void*) { return 0; }
std::string describe_place(std::uint32_t) { return {}; }

}  // namespace papo::shim

#endif
