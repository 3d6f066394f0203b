// The watch for data races: two threads touch the same bytes, one of them writes, and nothing orders the two.
//
// Kernels are compiled with -fsanitize=thread, whose calls before each access come here (race_hooks.cpp) and not to
// ThreadSanitizer: what orders two accesses on a GPU is known to the shim alone. Order is kept by vector clocks.
// A race is found whether or not the schedule made it matter. Without PAPO_SHIM_RACES all of this does nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace papo::shim {

struct Block;
struct Cluster;
struct Thread;
struct TransactionBarrier;
struct Transfer;
class Group;

/// For each thread of a group, each block's copy engine and each cluster's barrier: how much of it has been seen.
using Clock = std::vector<std::uint32_t>;
using ClockPtr = std::shared_ptr<const Clock>;

/// What is remembered of two bytes: their last write and a read since.
struct RaceCell {
  std::uint64_t write = 0;  ///< who and when, as RaceWatch packs it
  std::uint64_t read = 0;
  std::uint32_t write_place = 0;  ///< in the program's code
  std::uint32_t read_place = 0;
};

class RaceWatch {
 public:
#ifdef PAPO_SHIM_RACES
  static constexpr bool kOn = true;
#else
  static constexpr bool kOn = false;
#endif

  explicit RaceWatch(Group& group);
  ~RaceWatch();
  RaceWatch(const RaceWatch&) = delete;
  RaceWatch& operator=(const RaceWatch&) = delete;

  /// What each of `count` threads in a row did before comes before what any of them does next.
  void all_met(const Thread* first, unsigned count);
  /// What `thread` did until now comes before what those do who acquire the clock; adds to what it held.
  void release(const Thread& thread, ClockPtr& clock);
  void acquire(const Thread& thread, const ClockPtr& clock);
  /// A phase of the cluster's barrier is over. Its arrival is relaxed: it orders no memory, only barriers' making.
  void cluster_met(const Cluster& cluster);
  void cluster_waited(const Thread& thread);
  void barrier_made(TransactionBarrier& barrier);
  /// Whether `thread` can know of a barrier of its own block, or of another block of its cluster.
  bool knows(const Thread& thread, const Block& owner, const TransactionBarrier& barrier) const;

  /// What the asynchronous write must come after.
  void begin_transfer(Transfer& transfer);
  /// It happens: it is checked like any access, and ordered before those who acquire the clock.
  void end_transfer(const Transfer& transfer, ClockPtr& clock);

  void access(const Thread& thread, std::uintptr_t address, std::size_t bytes, bool writes,
              const void* code);

 private:
  struct Actor {
    std::size_t number;   ///< a thread, or threads + block for a copy engine
    std::uint64_t now;    ///< its packed name and step
    const Clock* before;  ///< what is ordered before it
    const char* place;    ///< of its code, from the program's beginning
  };

  std::size_t number_of(const Thread& thread) const;
  std::size_t number_of(const Cluster& cluster) const;
  std::uint64_t packed(std::size_t actor) const;
  RaceCell* cells_at(std::uintptr_t address, std::size_t bytes, bool& shared);
  void check(const Actor& actor, std::uintptr_t address, std::size_t bytes, bool writes);
  bool ordered(const Actor& actor, std::uint64_t entry, bool shared) const;
  void report(const Actor& actor, std::uintptr_t address, bool writes, std::uint64_t other,
              std::uint32_t place, bool other_writes) const;
  std::string name_of(std::uint64_t entry) const;
  ClockPtr joined(const ClockPtr& a, const ClockPtr& b);

  Group& group_;
  std::uint64_t serial_;
  std::vector<ClockPtr> before_;     ///< of each thread, without its own steps
  std::vector<std::uint32_t> step_;  ///< of each thread, copy engine and cluster
  std::vector<ClockPtr> cluster_clocks_;
  struct Join {
    ClockPtr a, b, result;
  };
  static constexpr std::size_t kJoins = 16;
  Join joins_[kJoins];
};

/// Tells the watch that from now on other groups belong to another launch, which comes after all that was.
void begin_race_launch();
/// Memory was freed: what is there next is something else.
void forget_races_at(const void* memory);

}  // namespace papo::shim
