// What the shim finds wrong with a kernel, in words. A launch that is found wrong fails; its report says why.
#pragma once

#include <string>

namespace papo::shim {

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);

/// Adds to the reports, and prints it on stderr unless a test has asked to read it itself.
void report(const std::string& sentence);

/// All reports since they were last taken.
std::string take_reports();

/// While one lives, reports are only collected.
class QuietReports {
 public:
  QuietReports();
  ~QuietReports();
  QuietReports(const QuietReports&) = delete;
  QuietReports& operator=(const QuietReports&) = delete;
};

}  // namespace papo::shim
