// Many threads at once: each call has its own blocks, and gives what it gives alone.
#include <cuda_runtime.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "cuda/stream.hpp"
#include "cuda/workspace.hpp"
#include "host_calls.hpp"
#include "host_machine.hpp"
#include "ops/papo_loss.hpp"

using namespace papo;
using namespace papo::cuda;

namespace {

/// What one thread runs again and again, and what must come out each time.
struct Task {
  HostLoss host;
  OnDevice there;
  std::vector<double> terms;
  std::vector<float> gradient;
  std::string message;

  Task(unsigned seed, int device) : host(seed), there(host.call, device) {}

  std::vector<float> gradient_now() const {
    return there.matrix(there.call.outputs[papo_loss::kGradLogits]);
  }
  void run_alone() {
    message = there.run().message();
    terms = there.lines(papo_loss::kTerms);
    gradient = gradient_now();
  }
  /// Bit for bit: NaN lies between the rows.
  bool run_again() const {
    if (there.run().message() != message) return false;
    const std::vector<float> now = gradient_now();
    return there.lines(papo_loss::kTerms) == terms &&
           std::memcmp(now.data(), gradient.data(), now.size() * sizeof(float)) == 0;
  }
};

}  // namespace

TEST_CASE(
    "calls from many threads, on two devices and several streams, do not disturb each other") {
  const FreshMachine machine;
  constexpr unsigned kThreads = 6;
  constexpr int kRounds = 8;
  std::vector<std::unique_ptr<Task>> tasks;
  std::vector<StreamPtr> streams(kThreads);
  for (unsigned i = 0; i < kThreads; ++i) {
    const int device = static_cast<int>(i % 2);
    tasks.push_back(std::make_unique<Task>(i, device));
    Task& task = *tasks.back();
    // A third of them in a stream of their own, and one that always fails.
    if (i % 3 == 0) {
      REQUIRE(create_stream("test", device, streams[i]).ok());
      task.there.call.stream = streams[i]->handle();
    }
    if (i == 4) task.there.call.attributes[token_objective_op::kPerceptionKlCoef] = NAN;
    task.run_alone();
    CHECK(task.message.empty() == (i != 4));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (const auto& task : tasks) {
    threads.emplace_back([&wrong, &task] {
      for (int i = 0; i < kRounds; ++i) wrong += task->run_again() ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(kept_bytes(0) <= kKeptBytes);
  CHECK(kept_bytes(1) <= kKeptBytes);
  CHECK(shim::live().events == 0);
}

TEST_CASE(
    "where memory is too short for all threads at once, some are told so and nothing is lost") {
  // The tensors of all, and the blocks of one or two.
  const FreshMachine machine(std::size_t{160} << 10);
  std::vector<std::unique_ptr<Task>> tasks;
  for (unsigned i = 0; i < 4; ++i) {
    tasks.push_back(std::make_unique<Task>(i, 0));
    tasks.back()->run_alone();
    REQUIRE(tasks.back()->message.empty());
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (const auto& task : tasks) {
    threads.emplace_back([&wrong, &task] {
      for (int i = 0; i < 6; ++i) {
        const Status status = task->there.run();
        wrong += status.ok() || status.code() == Code::out_of_memory ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  for (const auto& task : tasks) CHECK(task->run_again());
}
