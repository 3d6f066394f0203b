#include "report.hpp"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace papo::gpu {

void Report::say(const std::string& line) const {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void Report::check(bool ok, const std::string& what, const std::string& detail) {
  ++checks_;
  if (ok) return;
  ++failures_;
  say("  FAIL " + what + detail);
}

void Report::save(const std::string& stage, const json::Object& figures) const {
  if (folder_.empty()) return;
  const std::string path = folder_ + "/" + stage + ".json";
  std::ofstream file(path);
  file << figures.text() << "\n";
  file.close();
  if (!file) throw std::runtime_error("could not write " + path);
}

double seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace papo::gpu
