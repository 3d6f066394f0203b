// A team of threads that begins one measured piece of work together.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

namespace papo::roofline {

/// Seconds from the moment when all `threads` stand ready until the last has done `work(thread)`. The caller is one of
/// them; none is pinned. The clock is the one behind `performance.now()`.
template <typename Work>
double seconds_of(std::size_t threads, const Work& work) {
  using Clock = std::chrono::steady_clock;
  std::atomic<std::size_t> ready{1};
  std::atomic<std::size_t> done{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> team;
  for (std::size_t thread = 1; thread < threads; ++thread) {
    team.emplace_back([&, thread] {
      ++ready;
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      work(thread);
      ++done;
    });
  }
  while (ready.load() < threads) std::this_thread::yield();
  const Clock::time_point start = Clock::now();
  go.store(true, std::memory_order_release);
  work(0);
  while (done.load() < threads - 1) std::this_thread::yield();
  const Clock::time_point end = Clock::now();
  for (std::thread& member : team) member.join();
  return std::chrono::duration<double>(end - start).count();
}

}  // namespace papo::roofline
