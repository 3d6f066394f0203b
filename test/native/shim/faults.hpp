// Planted faults: one call of one place in a kernel's source does nothing, or counts wrong. For tests of the tests.
#pragma once

#include <string>
#include <vector>

#include "shim/where.hpp"

namespace papo::shim {

/// A call of a kernel, by its function and its place; or of the runtime, by its function alone (all such calls).
struct Site {
  std::string operation;
  std::string file;
  int line = 0;
};

struct Fault {
  Site site;
  int excess =
      0;  ///< 0: the call is left out; otherwise its byte count (or address) is off by so much
};

/// From now on, every launch runs with this fault.
void plant(const Fault& fault);
void unplant();

/// Notes every site that a launch comes by, from now on.
void record_sites();
/// What was noted, in order of file and line; ends the recording.
std::vector<Site> recorded_sites();

/// Asked by every primitive: is this call to be left out?
bool skipped(const char* operation, Where where);
/// Bytes by which the count (or the address) of this call is to be wrong; usually 0.
int excess(const char* operation, Where where);

/// What is left of a wait for the cluster's barrier that was left out.
void forget_cluster_wait();

}  // namespace papo::shim
