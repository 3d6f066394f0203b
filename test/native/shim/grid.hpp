// A grid while it runs: threads in warps, warps in blocks, blocks in clusters, and those that run together in a group.
//
// One operating-system thread runs everything, so nothing here is locked. A thread gives way only where it must wait
// (and, under some seeds, where others may notice what it did); between two such points it runs alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "shim/fiber.hpp"
#include "shim/kernel_call.hpp"
#include "shim/policy.hpp"
#include "shim/races.hpp"
#include "shim/where.hpp"

namespace papo::shim {

struct Block;
struct Warp;

/// Why a thread does not run, for the scheduler and for the report of a deadlock.
enum class Wait : std::uint8_t { none, warp, block, cluster, transactions, flag };

struct Thread {
  Fiber* fiber = nullptr;
  Block* block = nullptr;
  Warp* warp = nullptr;
  unsigned index = 0;  ///< in its block
  unsigned lane = 0;
  Wait wait = Wait::none;
  bool done = false;
  bool between_arrive_and_wait = false;  ///< of the cluster's barrier
  std::uint64_t cluster_phase = 0;       ///< in which it arrived last
  Where cluster_where;
  Where where;
  const void* object = nullptr;  ///< the transaction barrier or the flag waited for
};

struct Warp {
  Block* block = nullptr;
  unsigned index = 0;
  Thread* threads = nullptr;
  unsigned lanes = 0;
  std::uint32_t ready = 0;
  unsigned rotation = 0;
  bool listed = false;
  bool starved = false;  ///< see Policy::starves

  // The collective that lanes are meeting in. Two sets of values: a lane may be one collective ahead of another.
  const char* operation = "";
  Where where;
  std::uint32_t arrived = 0;
  unsigned meetings = 0;
  std::uint64_t values[2][32] = {};

  std::uint32_t all() const { return lanes == 32 ? ~0U : (1U << lanes) - 1; }
};

/// What stands behind a 64-bit word of shared memory that a kernel made a barrier of.
struct TransactionBarrier {
  std::size_t offset = 0;  ///< in the block's shared memory
  unsigned count = 0;
  unsigned pending = 0;
  std::int64_t bytes = 0;  ///< announced and not yet arrived
  std::uint64_t phase = 0;
  const Thread* maker = nullptr;
  std::uint32_t made_step = 0;    ///< of its maker
  bool known = false;             ///< to the copy engine and to other blocks
  std::uint64_t known_phase = 0;  ///< of the cluster's barrier: whoever has waited for so many
  bool fed_by_peers = false;      ///< in this phase
  bool ended_by_peers = false;    ///< the same of the phase before
  ClockPtr clock;                 ///< what this phase will order
  ClockPtr ended_clock;           ///< what the phase before ordered
};

struct Cluster {
  std::vector<Block*> blocks;
  unsigned threads = 0;
  unsigned arrived = 0;
  unsigned exited = 0;
  std::uint64_t phase = 0;
};

struct Block {
  unsigned x = 0, y = 0;
  unsigned rank = 0;  ///< in its cluster
  Cluster* cluster = nullptr;
  Thread* threads = nullptr;
  unsigned thread_count = 0;
  Warp* warps = nullptr;
  unsigned warp_count = 0;
  unsigned exited = 0;

  char* memory = nullptr;  ///< the dynamic shared memory
  std::size_t bytes = 0;
  std::vector<TransactionBarrier> barriers;

  // The block-wide barrier.
  const char* operation = "";
  Where where;
  unsigned arrived = 0;
  bool any = false;
  bool any_result = false;
};

struct LaunchShape {
  unsigned grid_x = 1, grid_y = 1;
  unsigned threads = 1;
  unsigned cluster = 1;
  bool cooperative = false;
  std::size_t shared_bytes = 0;
  int capability = 90;  ///< 10 * major + minor of the device that runs it

  unsigned blocks() const { return grid_x * grid_y; }
  unsigned warps_per_block() const { return (threads + 31) / 32; }
};

/// An asynchronous write into shared memory that has not happened yet.
struct Transfer {
  Block* target = nullptr;
  char* to = nullptr;
  const void* from = nullptr;  ///< read when it lands; null: `value` instead
  unsigned char value[16] = {};
  std::size_t bytes = 0;
  const void* barrier = nullptr;
  const char* operation = "";
  Where where;
  Block* origin = nullptr;
  ClockPtr after;  ///< what it comes after
};

struct FlagWait {
  Thread* thread = nullptr;
  const int* flag = nullptr;
  int value = 0;
};

/// Warps that could run, in the order in which they became ready.
class WarpQueue {
 public:
  void reserve(std::size_t warps) { ring_.resize(warps + 1); }
  bool empty() const { return count_ == 0; }
  void push(Warp* warp) { ring_[(first_ + count_++) % ring_.size()] = warp; }
  Warp* take(Policy::Pick pick, Random& random);

 private:
  std::vector<Warp*> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

/// Blocks that run together: the clusters of a cooperative grid, or one or two clusters of any other.
class Group {
 public:
  /// `clusters` are the numbers of the grid's clusters that belong to it.
  Group(const LaunchShape& shape, const KernelCall& kernel, std::uint64_t seed,
        const std::vector<unsigned>& clusters);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  /// Runs every thread to its end; an empty answer is success, otherwise it says what went wrong.
  std::string run();

  const LaunchShape& shape;
  const KernelCall& kernel;
  Policy policy;
  Random random;
  std::vector<Cluster> clusters;
  std::vector<Block> blocks;
  std::vector<Warp> warps;
  std::vector<Thread> threads;
  std::vector<Transfer> transfers;
  std::vector<FlagWait> flag_waits;
  std::map<const int*, ClockPtr> flag_clocks;  ///< what the last release of each flag ordered
  RaceWatch races;

  /// Lets `thread` run again.
  void wake(Thread& thread);
  /// Wakes all threads of the block but the running one.
  void wake_block(Block& block);

  /// Takes whichever thread runs next; with none left that could, lets transfers land, and at last gives up.
  Thread& next();
  /// A thread has come to its end: may it?
  void check_exit(Thread& thread);
  /// The first failure counts.
  void set_failure(const std::string& sentence) {
    if (failure_.empty()) failure_ = sentence;
  }
  bool has_failed() const { return !failure_.empty(); }
  /// The last thing a thread does: goes on to another one, or back to the host.
  [[noreturn]] void leave();

 private:
  void make_blocks(const std::vector<unsigned>& numbers);
  void make_threads();
  void list(Warp& warp);
  void wake_flag_waits();
  void find_something_to_do();

  Warp* running_ = nullptr;
  WarpQueue ready_;
  WarpQueue starved_;  ///< those that run only when no other can
  std::size_t done_ = 0;
  std::string failure_;
  Fiber host_;
};

/// The simulated thread that is running; null outside of kernels.
extern Thread* current;
/// The group it belongs to.
extern Group* running_group;

/// Gives way to others until somebody wakes this thread.
void wait_here(Wait wait, Where where, const void* object = nullptr);
/// Under seeds that interrupt: gives way now and then, without waiting for anything.
void maybe_interrupt();
/// Ends the launch with what is wrong; unwinds the stack of the running thread.
[[noreturn]] void fail(const std::string& sentence);

/// "thread 5 of block 2"
std::string name_of(const Thread& thread);
std::string name_of(const Block& block);
/// "papo_loss.cu:123"
std::string name_of(Where where);

/// Who waits where, and what is known of what they wait for.
std::string describe_deadlock(const Group& group);
/// What is wrong with a thread that leaves now; empty if nothing.
std::string objection_to_exit(const Thread& thread);
/// What is wrong with a block whose last thread has left; empty if nothing.
std::string objection_to_end(const Group& group, const Block& block);

/// Lets one asynchronous write happen.
void land(Group& group, std::size_t index);

/// Runs a whole grid; an empty answer is success.
std::string run_grid(const LaunchShape& shape, const KernelCall& kernel, std::uint64_t seed);

}  // namespace papo::shim
