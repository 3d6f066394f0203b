// The calls of an environment and its end, in the order in which Deno lets them happen: whatever runs.
#include <atomic>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "addon/running_calls.hpp"

using papo::addon::RunningCalls;

TEST_CASE("an environment that ends has waited for the calls that run, and none begins any more") {
  for (int round = 0; round < 200; ++round) {
    RunningCalls calls;
    std::atomic<bool> freed{false};
    std::atomic<int> late{0};
    std::atomic<int> begun{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        while (calls.begin()) {
          ++begun;
          while (!calls.closing() && begun % 4 != 0) ++begun;
          if (freed) ++late;
          calls.end();
        }
      });
    }
    while (begun < 3) std::this_thread::yield();
    calls.close();
    freed = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(late == 0);
    CHECK_FALSE(calls.begin());
  }
}

TEST_CASE("calls that were stopped end by themselves, and nobody waits for them") {
  RunningCalls calls;
  REQUIRE(calls.begin());
  calls.stop();
  CHECK(calls.closing());
  CHECK_FALSE(calls.begin());
  calls.end();
  calls.close();
}

TEST_CASE("every environment sees the calls of the others until they settle or it ends") {
  RunningCalls one;
  RunningCalls other;
  one.made();
  one.made();
  other.made();
  CHECK(one.elsewhere() == 1);
  CHECK(other.elsewhere() == 2);
  one.settled();
  CHECK(other.elsewhere() == 1);
  // Deno tells nobody that a call of an ended worker has settled; Node may.
  one.close();
  CHECK(other.elsewhere() == 0);
  one.settled();
  CHECK(other.elsewhere() == 0);
  other.settled();
  CHECK(one.elsewhere() == 0);
}
