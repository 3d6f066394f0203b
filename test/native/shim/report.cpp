// The store of reports.
#include "shim/report.hpp"

#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace papo::shim {
namespace {

std::mutex mutex;
std::string reports;
int quiet = 0;

}  // namespace

std::string text(const char* format, ...) {
  char buffer[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

void report(const std::string& sentence) {
  const std::lock_guard<std::mutex> lock(mutex);
  reports += sentence + "\n";
  if (quiet == 0) std::fprintf(stderr, "[papo shim] %s\n", sentence.c_str());
}

std::string take_reports() {
  const std::lock_guard<std::mutex> lock(mutex);
  std::string taken;
  taken.swap(reports);
  return taken;
}

QuietReports::QuietReports() {
  const std::lock_guard<std::mutex> lock(mutex);
  ++quiet;
}

QuietReports::~QuietReports() {
  const std::lock_guard<std::mutex> lock(mutex);
  --quiet;
}

}  // namespace papo::shim
