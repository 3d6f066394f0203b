// The command line of papo_gpu.
#pragma once

#include <string>
#include <vector>

#include "case.hpp"

namespace papo::gpu {

struct Options {
  std::vector<std::string> stages = {"correctness", "determinism", "timing"};
  Extent extent = Extent::full;
  int device = 0;
  unsigned seed = 1;
  std::string out;          ///< folder for one JSON per stage; only with a real device
  std::string export_to;    ///< folder for the batch that the peers are checked with
  std::vector<Case> extra;  ///< --shape ROWSxVOCAB[:dtype]: these instead of the sweep's
  std::string only;         ///< timings whose name contains this
  bool headline = false;    ///< timings of the first shape alone
  std::string plant;        ///< what is falsified before it is compared: the run must fail then
  bool help = false;

  bool has(const std::string& stage) const;
  std::size_t most_bytes() const;
  /// Rows held against float64 per case.
  std::size_t truth_rows() const;
};

extern const char* const kUsage;

/// Throws std::invalid_argument with a sentence.
Options parse(int count, char** arguments);

}  // namespace papo::gpu
