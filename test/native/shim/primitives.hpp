// What kernels do that other threads may notice: meetings, transaction barriers, asynchronous writes, flags.
// `dev.hpp` gives these their names in kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/where.hpp"

namespace papo::shim {

/// Where the running thread is. By value and out of line, like all of this: a kernel compiled for the watch for races
/// (races.hpp) then touches nothing of the shim's that would be looked at.
struct Place {
  unsigned thread, threads;
  unsigned block_x, block_y;
  unsigned grid_x, grid_y;
  unsigned cluster_rank, cluster_size;
  char* shared_memory;
};
Place place();

/// All 32 lanes meet and see each other's values; the answer is good until the next meeting.
/// `orders`: what they did in memory before comes before what any does after. Shuffles do not promise that.
const std::uint64_t* meet_in_warp(const char* operation, std::uint64_t value, bool orders,
                                  Where where);
/// All threads of the block meet; true if `value` was true for any.
bool meet_in_block(const char* operation, bool value, Where where);
void arrive_at_cluster(Where where);
void wait_for_cluster(Where where);

/// Transaction barriers: 8 aligned bytes of the block's own shared memory.
void make_barrier(void* barrier, unsigned count, Where where);
/// For all that this thread made: only then may the copy engine and other blocks use them.
void make_barriers_known();
void arrive_expecting(void* barrier, unsigned bytes, Where where);
void wait_for_phase(void* barrier, unsigned parity, bool from_peers, Where where);
void copy_bulk(void* to, const void* from, std::size_t bytes, void* barrier, Where where);
/// 16 bytes to the same place in the shared memory of block `rank` of the cluster.
void send(void* own_slot, const void* value, void* own_barrier, unsigned rank, Where where);

void atomic_min(unsigned long long* to, unsigned long long value);

int acquire_flag(const int* flag, Where where);
void release_flag(int* flag, int value);
void wait_for_flag(const int* flag, int value, Where where);

/// Ends the launch unless `address` is a multiple of `alignment`.
void check_aligned(const char* operation, const void* address, std::size_t alignment, Where where);

}  // namespace papo::shim
