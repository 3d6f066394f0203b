// What a run says and what it leaves: lines for people, one JSON file per stage, and how many checks failed.
#pragma once

#include <cstddef>
#include <string>

#include "json.hpp"

namespace papo::gpu {

class Report {
 public:
  /// `folder` empty: nothing is written.
  explicit Report(std::string folder) : folder_(std::move(folder)) {}

  void say(const std::string& line) const;
  /// A check that held or not; a failure is said with `detail`.
  void check(bool ok, const std::string& what, const std::string& detail = "");
  /// `<folder>/<stage>.json`.
  void save(const std::string& stage, const json::Object& figures) const;

  std::size_t checks() const { return checks_; }
  std::size_t failures() const { return failures_; }

 private:
  std::string folder_;
  std::size_t checks_ = 0;
  std::size_t failures_ = 0;
};

/// Seconds since some moment.
double seconds();

}  // namespace papo::gpu
