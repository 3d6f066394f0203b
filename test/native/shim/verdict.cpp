// Runs in child processes, and the list of faults that a kernel's sites give.
#include "shim/verdict.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "shim/report.hpp"
#include "shim/shim.hpp"

namespace papo::shim {
namespace {

/// What a child says when nothing was wrong; anything else, a signal included, is a fault that was noticed.
constexpr int kNothingWrong = 37;

int run_child(const std::function<bool()>& passes, const Fault* fault, std::uint64_t first_seed,
              unsigned seeds) {
  const QuietReports quiet;
  take_reports();
  if (fault != nullptr) plant(*fault);
  for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    set_seed(seed);
    if (!passes() || !take_reports().empty()) return 1;
  }
  return kNothingWrong;
}

/// Bytes by which counts and addresses are tried wrong; mostly whole vectors, since everything else is refused.
std::vector<int> excesses_of(const std::string& operation) {
  if (operation == "barrier_expect") return {-16, 16};
  if (operation == "bulk_load") return {-16, 16};
  if (operation == "shared_memory") return {-4};
  if (operation == "store_vector_streaming" || operation == "store_vector") return {-16, 16};
  return {};
}

/// Stores are only moved, and what lanes tell each other is not touched: whether a missing or a wrong number is noticed
/// is a matter of comparing results.
bool can_be_left_out(const std::string& operation) {
  for (const char* number : {"store_vector", "store_vector_streaming", "shuffle", "shuffle_xor",
                             "warp_any", "shared_memory"}) {
    if (operation == number) return false;
  }
  return true;
}

/// Runtime calls whose absence the caller would not be told of.
bool is_silent_call(const std::string& name) {
  for (const char* call :
       {"cudaStreamSynchronize", "cudaEventSynchronize", "cudaStreamWaitEvent", "cudaEventRecord",
        "cudaMemcpyAsync", "cudaMemcpy2DAsync", "cudaMemsetAsync", "cudaMemset2DAsync"}) {
    if (name == call) return true;
  }
  return false;
}

std::vector<Site> sites_of(const std::function<bool()>& passes) {
  record_sites();
  passes();
  return recorded_sites();
}

}  // namespace

bool survives(const std::function<bool()>& passes, const Fault* fault, std::uint64_t first_seed,
              unsigned seeds) {
  const pid_t child = fork();
  if (child == 0) {
    // A sanitizer's report on a planted fault is what we want, not what the reader wants.
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 1);
    dup2(nowhere, 2);
    _exit(run_child(passes, fault, first_seed, seeds));
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0) {
  }
  return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == kNothingWrong;
}

std::vector<Fault> kernel_faults_of(const std::function<bool()>& passes) {
  std::vector<Fault> faults;
  for (const Site& site : sites_of(passes)) {
    if (site.operation.rfind("cuda", 0) == 0) continue;
    if (can_be_left_out(site.operation)) faults.push_back({site, 0});
    for (const int excess : excesses_of(site.operation)) faults.push_back({site, excess});
  }
  return faults;
}

std::vector<Fault> call_faults_of(const std::function<bool()>& passes) {
  std::vector<Fault> faults;
  for (const Site& site : sites_of(passes)) {
    if (is_silent_call(site.operation)) faults.push_back({site, 0});
  }
  return faults;
}

std::string name_of(const Fault& fault) {
  std::string place;
  if (!fault.site.file.empty()) {
    place = " at " + fault.site.file.substr(fault.site.file.rfind('/') + 1) + ":" +
            std::to_string(fault.site.line);
  }
  const std::string what =
      fault.excess == 0
          ? "left out"
          : "wrong by " + std::string(fault.excess > 0 ? "+" : "") + std::to_string(fault.excess);
  return fault.site.operation + place + " " + what;
}

}  // namespace papo::shim
