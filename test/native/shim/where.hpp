// A place in a kernel's source: what reports name, and what planted faults are aimed at.
#pragma once

#include <cstring>

namespace papo::shim {

/// As a default argument `Where::here()` is the place of the outermost call, like std::source_location in C++20.
struct Where {
  const char* file = "";
  int line = 0;

  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }

  bool operator==(const Where& other) const {
    return line == other.line && (file == other.file || std::strcmp(file, other.file) == 0);
  }
  bool operator!=(const Where& other) const { return !(*this == other); }
};

}  // namespace papo::shim
