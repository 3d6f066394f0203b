// Transaction barriers and what completes them: bulk copies into shared memory and stores into a peer's.
//
// An asynchronous write is kept back until the schedule lets it land. Until then its destination is poison, so a read
// that does not wait for it finds NaN, and a write that does not wait for it is found when it lands.
#include <cstring>

#include "shim/arena.hpp"
#include "shim/grid.hpp"
#include "shim/memory.hpp"
#include "shim/primitives.hpp"
#include "shim/report.hpp"

namespace papo::shim {
namespace {

/// A barrier's word holds a mark, its number and its phase, so that whatever else is written there shows.
constexpr std::uint64_t kMark = 0x5AFEBA22ULL << 32;
constexpr std::int64_t kMostBytes = (1 << 20) - 1;
constexpr unsigned kMostArrivals = (1 << 20) - 1;

std::uint64_t word_of(std::size_t number, const TransactionBarrier& barrier) {
  return kMark | number << 1 | (barrier.phase & 1);
}

bool inside(const Block& block, const void* address, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(block.memory);
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  return at >= begin && bytes <= block.bytes && at - begin <= block.bytes - bytes;
}

std::size_t offset_in(const Block& block, const void* address) {
  return static_cast<std::size_t>(static_cast<const char*>(address) - block.memory);
}

std::string at_byte(const Block& block, const void* address) {
  return text("at shared byte %zu of ", offset_in(block, address)) + name_of(block);
}

void check_inside(const char* operation, const Block& block, const void* address, std::size_t bytes,
                  Where where) {
  if (inside(block, address, bytes)) return;
  const auto offset = static_cast<std::ptrdiff_t>(reinterpret_cast<std::uintptr_t>(address) -
                                                  reinterpret_cast<std::uintptr_t>(block.memory));
  fail(text("%s (%s): %zu bytes at %td are not within the %zu bytes of shared memory of ",
            operation, name_of(where).c_str(), bytes, offset, block.bytes) +
       name_of(block));
}

/// The barrier that `address` was made, or the end of the launch.
TransactionBarrier& barrier_at(const char* operation, Block& block, const void* address,
                               Where where) {
  check_inside(operation, block, address, 8, where);
  std::uint64_t word = 0;
  std::memcpy(&word, address, sizeof word);
  const std::size_t offset = offset_in(block, address);
  for (std::size_t i = 0; i < block.barriers.size(); ++i) {
    TransactionBarrier& barrier = block.barriers[i];
    if (barrier.offset != offset) continue;
    if (word == word_of(i, barrier)) return barrier;
    fail(
        text("%s (%s): something has overwritten the barrier ", operation, name_of(where).c_str()) +
        at_byte(block, address));
  }
  fail(text("%s (%s): there is no initialised barrier ", operation, name_of(where).c_str()) +
       at_byte(block, address));
}

/// The same, of which the running thread can know.
TransactionBarrier& known_barrier_at(const char* operation, Block& block, const void* address,
                                     Where where) {
  TransactionBarrier& barrier = barrier_at(operation, block, address, where);
  if (running_group->races.knows(*current, block, barrier)) return barrier;
  fail(text("%s (%s): nothing orders it behind the initialisation of the barrier ", operation,
            name_of(where).c_str()) +
       at_byte(block, address));
}

/// The same, which the copy engine or another block is to use.
void check_known(const char* operation, Block& block, const void* address, Where where) {
  if (known_barrier_at(operation, block, address, where).known) return;
  fail(text("%s (%s): fence_barrier_init has not made known the barrier ", operation,
            name_of(where).c_str()) +
       at_byte(block, address));
}

/// Ends the phase if everything has arrived.
void settle(Block& block, TransactionBarrier& barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.count;
  barrier.ended_by_peers = barrier.fed_by_peers;
  barrier.fed_by_peers = false;
  barrier.ended_clock = std::move(barrier.clock);
  barrier.clock = nullptr;
  const auto number = static_cast<std::size_t>(&barrier - block.barriers.data());
  const std::uint64_t word = word_of(number, barrier);
  char* address = block.memory + barrier.offset;
  std::memcpy(address, &word, sizeof word);
  for (unsigned i = 0; i < block.thread_count; ++i) {
    Thread& thread = block.threads[i];
    if (thread.wait == Wait::transactions && thread.object == address) running_group->wake(thread);
  }
}

/// Ends the launch with a sentence about an asynchronous write.
[[noreturn]] void fail_transfer(const Transfer& transfer, const std::string& what) {
  fail(text("%s (%s) from ", transfer.operation, name_of(transfer.where).c_str()) +
       name_of(*transfer.origin) + text(" of %zu bytes ", transfer.bytes) +
       at_byte(*transfer.target, transfer.to) + ": " + what);
}

void begin_transfer(Transfer& transfer) {
  for (const Transfer& other : running_group->transfers) {
    if (transfer.to < other.to + other.bytes && other.to < transfer.to + transfer.bytes) {
      fail_transfer(transfer, "another asynchronous write to the same place is under way");
    }
  }
  poison(transfer.to, transfer.bytes);
  running_group->races.begin_transfer(transfer);
  running_group->transfers.push_back(transfer);
  maybe_interrupt();
}

void check_capability(const char* operation, Where where) {
  if (running_group->shape.capability >= 90) return;
  fail(text("%s (%s) needs compute capability 9.0", operation, name_of(where).c_str()));
}

}  // namespace

void check_aligned(const char* operation, const void* address, std::size_t alignment, Where where) {
  const auto misfit = reinterpret_cast<std::uintptr_t>(address) % alignment;
  if (misfit == 0) return;
  fail(text("%s (%s) by %s: the address is %zu bytes beyond a multiple of %zu", operation,
            name_of(where).c_str(), name_of(*current).c_str(), static_cast<std::size_t>(misfit),
            alignment));
}

void make_barrier(void* address, unsigned count, Where where) {
  Block& block = *current->block;
  check_capability("barrier_init", where);
  check_aligned("barrier_init", address, 8, where);
  check_inside("barrier_init", block, address, 8, where);
  if (count == 0 || count > kMostArrivals) {
    fail(text("barrier_init (%s) for %u arrivals", name_of(where).c_str(), count));
  }
  for (const TransactionBarrier& other : block.barriers) {
    if (other.offset != offset_in(block, address)) continue;
    fail(text("barrier_init (%s): there is one already ", name_of(where).c_str()) +
         at_byte(block, address));
  }
  TransactionBarrier barrier;
  barrier.offset = offset_in(block, address);
  barrier.count = count;
  barrier.pending = count;
  barrier.maker = current;
  const std::uint64_t word = word_of(block.barriers.size(), barrier);
  std::memcpy(address, &word, sizeof word);
  running_group->races.barrier_made(barrier);
  block.barriers.push_back(barrier);
}

void make_barriers_known() {
  for (TransactionBarrier& barrier : current->block->barriers) {
    if (barrier.maker == current) barrier.known = true;
  }
}

void arrive_expecting(void* address, unsigned bytes, Where where) {
  Block& block = *current->block;
  TransactionBarrier& barrier = known_barrier_at("barrier_expect", block, address, where);
  barrier.bytes += bytes;
  --barrier.pending;
  running_group->races.release(*current, barrier.clock);
  if (barrier.bytes > kMostBytes) {
    fail(text("barrier_expect (%s): more than 2^20 - 1 bytes are outstanding ",
              name_of(where).c_str()) +
         at_byte(block, address));
  }
  if (barrier.pending == 0 && barrier.bytes < 0) {
    fail(text("barrier_expect (%s): %td bytes more have arrived than are expected ",
              name_of(where).c_str(), static_cast<std::ptrdiff_t>(-barrier.bytes)) +
         at_byte(block, address));
  }
  settle(block, barrier);
  maybe_interrupt();
}

void wait_for_phase(void* address, unsigned parity, bool from_peers, Where where) {
  Block& block = *current->block;
  // Looked up again after each wait: another thread may have made a barrier meanwhile.
  while ((known_barrier_at("barrier_wait", block, address, where).phase & 1) == (parity & 1)) {
    wait_here(Wait::transactions, where, address);
  }
  const TransactionBarrier& barrier = barrier_at("barrier_wait", block, address, where);
  running_group->races.acquire(*current, barrier.ended_clock);
  if (!from_peers && barrier.ended_by_peers) {
    fail(text("barrier_wait (%s): its bytes came from other blocks, which only "
              "barrier_wait_for_peers makes visible ",
              name_of(where).c_str()) +
         at_byte(block, address));
  }
}

void copy_bulk(void* to, const void* from, std::size_t bytes, void* barrier, Where where) {
  Block& block = *current->block;
  check_capability("bulk_load", where);
  check_aligned("bulk_load", to, 16, where);
  check_aligned("bulk_load", from, 16, where);
  check_inside("bulk_load", block, to, bytes, where);
  check_known("bulk_load", block, barrier, where);
  if (bytes == 0 || bytes % 16 != 0) {
    fail(text("bulk_load (%s) of %zu bytes: not a multiple of 16", name_of(where).c_str(), bytes));
  }
  if (!is_device_memory(from, bytes)) {
    fail(text(
        "bulk_load (%s): the %zu bytes to read are not all within one allocation of device memory",
        name_of(where).c_str(), bytes));
  }
  Transfer transfer;
  transfer.target = &block;
  transfer.to = static_cast<char*>(to);
  transfer.from = from;
  transfer.bytes = bytes;
  transfer.barrier = barrier;
  transfer.operation = "bulk_load";
  transfer.where = where;
  transfer.origin = &block;
  begin_transfer(transfer);
}

void send(void* own_slot, const void* value, void* own_barrier, unsigned rank, Where where) {
  Block& block = *current->block;
  check_capability("send", where);
  check_aligned("send", own_slot, 16, where);
  check_inside("send", block, own_slot, 16, where);
  check_inside("send", block, own_barrier, 8, where);
  if (rank >= block.cluster->blocks.size()) {
    fail(text("send (%s) to rank %u of a cluster of %zu blocks", name_of(where).c_str(), rank,
              block.cluster->blocks.size()));
  }
  Block& peer = *block.cluster->blocks[rank];
  if (peer.exited == peer.thread_count) {
    fail(text("send (%s) to ", name_of(where).c_str()) + name_of(peer) +
         ", which has left the kernel");
  }
  Transfer transfer;
  transfer.target = &peer;
  transfer.to = peer.memory + offset_in(block, own_slot);
  std::memcpy(transfer.value, value, sizeof transfer.value);
  transfer.bytes = sizeof transfer.value;
  transfer.barrier = peer.memory + offset_in(block, own_barrier);
  transfer.operation = "send";
  transfer.where = where;
  transfer.origin = &block;
  // On a GPU this is looked up later, but then nothing would order it behind the peer's initialisation.
  check_known("send", peer, transfer.barrier, where);
  begin_transfer(transfer);
}

void land(Group& group, std::size_t index) {
  const Transfer transfer = group.transfers[index];
  group.transfers[index] = group.transfers.back();
  group.transfers.pop_back();
  const std::size_t untouched = poisoned_bytes(transfer.to, transfer.bytes);
  if (untouched < transfer.bytes) {
    fail_transfer(transfer, text("byte %zu of it was written to meanwhile", untouched));
  }
  std::memcpy(transfer.to, transfer.from != nullptr ? transfer.from : transfer.value,
              transfer.bytes);
  Block& block = *transfer.target;
  TransactionBarrier& barrier =
      barrier_at(transfer.operation, block, transfer.barrier, transfer.where);
  barrier.bytes -= static_cast<std::int64_t>(transfer.bytes);
  if (transfer.origin != transfer.target) barrier.fed_by_peers = true;
  group.races.end_transfer(transfer, barrier.clock);
  if (barrier.pending == 0 && barrier.bytes < 0) {
    fail_transfer(transfer, text("%td bytes more than its barrier expects",
                                 static_cast<std::ptrdiff_t>(-barrier.bytes)));
  }
  settle(block, barrier);
}

std::string objection_to_end(const Group& group, const Block& block) {
  for (const Transfer& transfer : group.transfers) {
    if (transfer.target != &block) continue;
    return name_of(block) + " leaves the kernel while " + transfer.operation + " (" +
           name_of(transfer.where) + ") from " + name_of(*transfer.origin) +
           " is still writing into it";
  }
  for (const TransactionBarrier& barrier : block.barriers) {
    if (barrier.pending == barrier.count && barrier.bytes == 0) continue;
    return name_of(block) + " leaves the kernel with its barrier " +
           at_byte(block, block.memory + barrier.offset) +
           text(" in the middle of a phase: %u arrivals and %td bytes are missing", barrier.pending,
                static_cast<std::ptrdiff_t>(barrier.bytes));
  }
  if (!fences_stand(block.memory)) {
    return name_of(block) +
           text(" has written outside its %zu bytes of shared memory", block.bytes);
  }
  return {};
}

}  // namespace papo::shim
