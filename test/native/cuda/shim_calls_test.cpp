// Faults planted in the host's side: runtime calls that fail without a word when they are left out must be noticed.
#include <cuda_runtime.h>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/host_calls.hpp"
#include "cuda/host_machine.hpp"
#include "ops/papo_loss.hpp"
#include "shim/shim.hpp"
#include "shim/verdict.hpp"

using namespace papo;
using shim::Fault;

namespace {

/// What two losses one after the other leave on the host: the second finds the first one's blocks.
std::vector<double> two_losses() {
  const std::uint64_t seed = shim::current_seed();
  const cuda::FreshMachine machine;
  shim::set_seed(seed);
  std::vector<double> results;
  for (const unsigned data : {1U, 2U}) {
    const cuda::HostLoss host(data);
    const cuda::OnDevice there(host.call, 0);
    if (!there.run().ok()) return {};
    for (const int output : {papo_loss::kStatistics, papo_loss::kTerms}) {
      const auto& lines = there.lines(static_cast<std::size_t>(output));
      results.insert(results.end(), lines.begin(), lines.end());
    }
    for (const int output : {papo_loss::kGradLogits, papo_loss::kGradMaskedLogits}) {
      for (const float value : there.matrix(there.call.outputs[output])) {
        results.push_back(static_cast<double>(value));
      }
    }
  }
  return results;
}

}  // namespace

TEST_CASE("shim: every runtime call that an op leaves out is noticed") {
  shim::set_seed(0);
  const std::vector<double> expected = two_losses();
  REQUIRE_FALSE(expected.empty());
  const auto passes = [&] { return two_losses() == expected; };
  CHECK(shim::survives(passes, nullptr, 0, 8));
  const std::vector<Fault> faults = shim::call_faults_of(passes);
  CHECK(faults.size() >= 3);
  for (const Fault& fault : faults) {
    INFO(shim::name_of(fault));
    CHECK_FALSE(shim::survives(passes, &fault, 0, 4));
  }
}
