// The fault that is planted, and the sites that launches came by.
#include "shim/faults.hpp"

#include <set>
#include <tuple>

#include "shim/grid.hpp"

namespace papo::shim {
namespace {

struct InOrder {
  bool operator()(const Site& a, const Site& b) const {
    return std::tie(a.file, a.line, a.operation) < std::tie(b.file, b.line, b.operation);
  }
};

/// True while something is planted or recorded: the one test that usually is made.
bool watching = false;
bool planted = false;
bool recording = false;
Fault fault;
std::set<Site, InOrder> sites;

bool hits(const char* operation, Where where) {
  if (recording) sites.insert({operation, where.file, where.line});
  return planted && where.line == fault.site.line && fault.site.operation == operation &&
         fault.site.file == where.file;
}

}  // namespace

bool skipped(const char* operation, Where where) {
  return watching && hits(operation, where) && fault.excess == 0;
}

int excess(const char* operation, Where where) {
  return watching && hits(operation, where) ? fault.excess : 0;
}

void plant(const Fault& wanted) {
  fault = wanted;
  planted = true;
  watching = true;
}

void unplant() {
  planted = false;
  watching = recording;
}

void record_sites() {
  sites.clear();
  recording = true;
  watching = true;
}

std::vector<Site> recorded_sites() {
  recording = false;
  watching = planted;
  return {sites.begin(), sites.end()};
}

void forget_cluster_wait() { current->between_arrive_and_wait = false; }

}  // namespace papo::shim
