// The calls of one environment that run off its thread, and its end, which waits for them.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include "core/condition_variable.hpp"

namespace papo::addon {

/// The memory that a call works on goes with its environment: Deno takes it at the end of a worker, whatever runs. Node
/// waits for its own work by itself, so that nothing is left to wait for.
class RunningCalls {
 public:
  /// Whether a call may touch anything; if so, it says `end` when it has.
  bool begin() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) return false;
    ++running_;
    return true;
  }

  void end() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--running_ == 0) none_.notify_all();
  }

  /// Stops what runs at its next block of rows, and lets nothing begin any more.
  void stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
  }
  bool closing() const { return closing_.load(std::memory_order_relaxed); }

  /// The same, and waits for what runs.
  void close() {
    everywhere_ -= unsettled_;
    unsettled_ = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    closing_ = true;
    none_.wait(lock, [this] { return running_ == 0; });
  }

  /// From where a call is made to where its promise settles, which a call at the end of its environment never reaches.
  void made() {
    ++unsettled_;
    ++everywhere_;
  }

  void settled() {
    if (unsettled_ == 0) return;
    --unsettled_;
    --everywhere_;
  }

  /// Calls of the process's other environments that have not settled.
  std::size_t elsewhere() const { return everywhere_ - unsettled_; }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  std::size_t running_ = 0;
  std::atomic<bool> closing_{false};  ///< written with the mutex, read by anybody
  std::size_t unsettled_ = 0;         ///< for the environment's own thread
  inline static std::atomic<std::size_t> everywhere_{0};
};

}  // namespace papo::addon
