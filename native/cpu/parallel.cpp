#include "cpu/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "core/condition_variable.hpp"

namespace papo::cpu {
namespace {

Status run_block(const RowRange& range, const Cancellation& cancellation, std::size_t begin,
                 std::size_t end) {
  if (cancellation.requested()) return {Code::aborted, "aborted"};
  return caught([&] { return range(begin, end); });
}

/// One call's work: blocks are handed out in order, each to whoever asks first.
struct Job {
  std::size_t rows;
  std::size_t rows_per_block;
  std::size_t blocks;
  const Cancellation* cancellation;
  const RowRange* range;
  // All below is guarded by the pool's mutex.
  std::size_t next = 0;
  std::size_t running = 0;
  Status failure;
  std::size_t failed_block = 0;
  Job* after = nullptr;  ///< in the pool's list

  bool open() const { return next < blocks; }
};

class Pool {
 public:
  /// Never destroyed: its threads may outlive static destruction, waiting, and the process ends them.
  static Pool& instance() {
    static Pool* pool = new Pool;
    return *pool;
  }

  std::size_t configure(std::size_t threads) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (threads_ == 0) threads_ = wanted_ = std::max<std::size_t>(1, threads);
    return threads_;
  }

  /// Every call asks; to count the processors takes longer than a small one, so that is done once.
  std::size_t threads() {
    const std::size_t known = threads_.load(std::memory_order_relaxed);
    return known > 0 ? known : configure(std::thread::hardware_concurrency());
  }

  Status run(Job& job) {
    threads();
    std::unique_lock<std::mutex> lock(mutex_);
    if (wanted_ > 1) {
      if (workers_ + 1 < wanted_) start_workers();
      append(job);
      for (std::size_t i = std::min(job.blocks - 1, workers_); i > 0; --i) work_.notify_one();
    }
    ++active_;
    while (job.open()) work_on(job, lock);
    --active_;
    // Every job that others may still see is closed by now; wait for their last blocks.
    remove(job);
    // A worker may have stood back for this thread.
    if (first_ != nullptr) work_.notify_one();
    done_.wait(lock, [&] { return job.running == 0; });
    return job.failure;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void append(Job& job) {
    Job** place = &first_;
    while (*place != nullptr) place = &(*place)->after;
    *place = &job;
  }

  void remove(const Job& job) {
    for (Job** place = &first_; *place != nullptr; place = &(*place)->after) {
      if (*place != &job) continue;
      *place = job.after;
      return;
    }
  }

  void start_workers() {
    if (Clock::now() < next_start_) return;
    try {
      for (; workers_ + 1 < wanted_; ++workers_) std::thread([this] { serve(); }).detach();
    } catch (const std::exception&) {
      // The system gives no more threads, or no memory for one: the ones there are do the work, until it does.
      next_start_ = Clock::now() + std::chrono::milliseconds(100);
    }
    threads_ = workers_ + 1;
  }

  /// Workers fill the pool up to its size: where callers work already, more threads would only take turns with them.
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      Job* job = nullptr;
      work_.wait(lock, [&] { return active_ < threads_ && (job = neediest()) != nullptr; });
      ++active_;
      work_on(*job, lock);
      --active_;
    }
  }

  /// The job with blocks left that has the fewest threads; the first come of several.
  Job* neediest() {
    Job* neediest = nullptr;
    for (Job* job = first_; job != nullptr; job = job->after) {
      if (job->open() && (neediest == nullptr || job->running < neediest->running)) neediest = job;
    }
    return neediest;
  }

  /// Does one block of `job`, with the mutex let go meanwhile.
  void work_on(Job& job, std::unique_lock<std::mutex>& lock) {
    const std::size_t block = job.next++;
    ++job.running;
    lock.unlock();
    const std::size_t begin = block * job.rows_per_block;
    Status status = run_block(*job.range, *job.cancellation, begin,
                              std::min(job.rows, begin + job.rows_per_block));
    lock.lock();
    if (!status.ok()) {
      job.next = job.blocks;
      if (job.failure.ok() || block < job.failed_block) {
        job.failure = std::move(status);
        job.failed_block = block;
      }
    }
    if (--job.running == 0 && !job.open()) done_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  Job* first_ =
      nullptr;  ///< jobs in the order of their coming; a list of the callers' own needs no memory
  std::atomic<std::size_t> threads_{0};  ///< in force; written with the mutex, read by anybody
  std::size_t wanted_ = 0;
  Clock::time_point next_start_{};
  std::size_t workers_ = 0;
  std::size_t active_ = 0;  ///< threads between blocks of a job or in one
};

}  // namespace

std::size_t configure_threads(std::size_t threads) { return Pool::instance().configure(threads); }

std::size_t threads() { return Pool::instance().threads(); }

Status for_rows(std::size_t rows, std::size_t rows_per_block, const Cancellation& cancellation,
                const RowRange& range) {
  if (rows == 0) return {};
  // Small calls are many: they meet no lock.
  if (rows <= rows_per_block) return run_block(range, cancellation, 0, rows);
  Job job;
  job.rows = rows;
  job.rows_per_block = std::max<std::size_t>(1, rows_per_block);
  job.blocks = (rows + job.rows_per_block - 1) / job.rows_per_block;
  job.cancellation = &cancellation;
  job.range = &range;
  return Pool::instance().run(job);
}

}  // namespace papo::cpu
