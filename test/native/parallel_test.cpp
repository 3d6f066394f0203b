// The thread pool: every row once, the first failure, cancellation, several callers at once.
#include <atomic>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "cpu/parallel.hpp"

using namespace papo;

TEST_CASE("every row is done exactly once, whatever the block size") {
  cpu::configure_threads(4);
  for (const std::size_t block : {1UL, 3UL, 64UL, 5000UL}) {
    std::vector<std::atomic<int>> done(1000);
    const Status status = cpu::for_rows(1000, block, {}, [&](std::size_t begin, std::size_t end) {
      for (std::size_t row = begin; row < end; ++row) ++done[row];
      return Status();
    });
    CHECK(status.ok());
    for (const auto& count : done) CHECK(count == 1);
  }
}

TEST_CASE("no rows is no work") {
  CHECK(cpu::for_rows(0, 8, {}, [](std::size_t, std::size_t) {
          return Status(Code::internal, "called");
        }).ok());
}

TEST_CASE("the failure reported is that of the first failing row") {
  for (int repeat = 0; repeat < 200; ++repeat) {
    const Status status = cpu::for_rows(500, 1, {}, [](std::size_t row, std::size_t) {
      return row == 137 || row == 138 || row > 300
                 ? Status(Code::not_finite, "row", static_cast<std::int64_t>(row))
                 : Status();
    });
    CHECK(status.row() == 137);
  }
}

TEST_CASE("after a failure no block is begun") {
  std::atomic<std::size_t> done{0};
  const Status status = cpu::for_rows(100000, 1, {}, [&](std::size_t row, std::size_t) {
    ++done;
    return row < 10 ? Status() : Status(Code::not_finite, "row", static_cast<std::int64_t>(row));
  });
  CHECK(status.row() == 10);
  // Ten good ones, and at most one that fails in each thread.
  CHECK(done <= 10 + cpu::threads());
}

TEST_CASE("a raised flag stops the work before the next block") {
  std::int32_t flag = 0;
  std::atomic<std::size_t> done{0};
  const Status status = cpu::for_rows(100000, 1, {&flag, nullptr}, [&](std::size_t, std::size_t) {
    if (++done == 10) __atomic_store_n(&flag, 1, __ATOMIC_RELAXED);
    return Status();
  });
  CHECK(status.code() == Code::aborted);
  CHECK(done < 100);
}

TEST_CASE("what a row throws is a failure like any other, and the pool goes on") {
  for (const std::size_t block : {1UL, 1000UL}) {
    const auto run = [block](bool memory) {
      return cpu::for_rows(1000, block, {}, [memory](std::size_t begin, std::size_t end) -> Status {
        if (begin <= 500 && end > 500) {
          if (memory) throw std::bad_alloc();
          throw std::runtime_error("on purpose");
        }
        return {};
      });
    };
    CHECK(run(true).code() == Code::out_of_memory);
    CHECK(run(true).message() == "out of memory");
    CHECK(run(false).code() == Code::internal);
  }
  std::atomic<std::size_t> done{0};
  CHECK(cpu::for_rows(1000, 1, {}, [&](std::size_t begin, std::size_t end) {
          done += end - begin;
          return Status();
        }).ok());
  CHECK(done == 1000);
}

TEST_CASE("several callers share the pool and each gets its own rows") {
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 50; ++repeat) {
        std::atomic<std::size_t> sum{0};
        const Status status = cpu::for_rows(256, 4, {}, [&](std::size_t begin, std::size_t end) {
          for (std::size_t row = begin; row < end; ++row) sum += row;
          return Status();
        });
        if (!status.ok() || sum != 256 * 255 / 2) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}
