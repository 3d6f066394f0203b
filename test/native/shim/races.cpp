// Vector clocks of threads and copy engines, and the memory of who touched what.
#include "shim/races.hpp"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>

#include "shim/code_places.hpp"
#include "shim/grid.hpp"
#include "shim/report.hpp"
#include "shim/runtime.hpp"

namespace papo::shim {
namespace {

constexpr unsigned kStepBits = 20;
constexpr unsigned kActorBits = 20;
constexpr std::size_t kBytesPerCell = 2;  ///< the smallest number a kernel stores

/// Device memory and its cells, made when it is first touched.
struct CellRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  RaceCell* cells = nullptr;
};

std::uint64_t groups = 0;
std::uint64_t first_group_of_launch = 1;

/// What device memory there is in this launch, in order of address; it cannot change while a kernel runs.
std::vector<CellRange> ranges;
std::map<std::uintptr_t, RaceCell*> cells_of_memory;
/// Of shared memory, reused from group to group: what another group left there does not count.
std::deque<std::vector<RaceCell>> shared_cells;

std::uint64_t serial_of(std::uint64_t entry) { return entry >> (kStepBits + kActorBits); }
std::size_t actor_of(std::uint64_t entry) {
  return (entry >> kStepBits) & ((std::size_t{1} << kActorBits) - 1);
}
std::uint32_t step_of(std::uint64_t entry) {
  return static_cast<std::uint32_t>(entry & ((1U << kStepBits) - 1));
}

/// The device memory that `address` is in; null if it is none.
CellRange* find_range(std::uintptr_t address) {
  static std::size_t last = 0;
  const auto holds = [&](const CellRange& range) {
    return address - range.begin < range.end - range.begin;
  };
  if (last < ranges.size() && holds(ranges[last])) return &ranges[last];
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), address,
                       [](std::uintptr_t at, const CellRange& range) { return at < range.begin; });
  if (after == ranges.begin() || !holds(*(after - 1))) return nullptr;
  last = static_cast<std::size_t>(after - ranges.begin()) - 1;
  return &ranges[last];
}

RaceCell* cells_of(CellRange& range) {
  if (range.cells != nullptr) return range.cells;
  RaceCell*& cells = cells_of_memory[range.begin];
  if (cells == nullptr) {
    const std::size_t count = (range.end - range.begin) / kBytesPerCell + 1;
    cells = static_cast<RaceCell*>(std::calloc(count, sizeof(RaceCell)));
  }
  return range.cells = cells;
}

}  // namespace

void begin_race_launch() {
  if (!RaceWatch::kOn) return;
  first_group_of_launch = groups + 1;
  ranges.clear();
  for (const auto& [begin, allocation] : runtime().allocations) {
    if (!allocation.pinned) ranges.push_back({begin, begin + allocation.bytes, nullptr});
  }
}

void forget_races_at(const void* memory) {
  const auto found = cells_of_memory.find(reinterpret_cast<std::uintptr_t>(memory));
  if (found == cells_of_memory.end()) return;
  std::free(found->second);
  cells_of_memory.erase(found);
}

RaceWatch::RaceWatch(Group& group) : group_(group), serial_(0) {
  if (!kOn) return;
  serial_ = ++groups;
  const std::size_t actors = group.threads.size() + group.blocks.size() + group.clusters.size();
  before_.assign(group.threads.size(), std::make_shared<const Clock>(actors));
  step_.assign(actors, 1);
  cluster_clocks_.resize(group.clusters.size());
  while (shared_cells.size() < group.blocks.size()) shared_cells.emplace_back();
  for (std::size_t i = 0; i < group.blocks.size(); ++i) {
    const std::size_t cells = group.shape.shared_bytes / kBytesPerCell + 1;
    if (shared_cells[i].size() < cells) shared_cells[i].resize(cells);
  }
}

RaceWatch::~RaceWatch() = default;

std::size_t RaceWatch::number_of(const Thread& thread) const {
  return static_cast<std::size_t>(&thread - group_.threads.data());
}

std::size_t RaceWatch::number_of(const Cluster& cluster) const {
  return group_.threads.size() + group_.blocks.size() +
         static_cast<std::size_t>(&cluster - group_.clusters.data());
}

std::uint64_t RaceWatch::packed(std::size_t actor) const {
  return serial_ << (kStepBits + kActorBits) | static_cast<std::uint64_t>(actor) << kStepBits |
         step_[actor];
}

ClockPtr RaceWatch::joined(const ClockPtr& a, const ClockPtr& b) {
  if (a == nullptr || a == b) return b;
  if (b == nullptr) return a;
  // Threads of a block join the same two clocks one after the other.
  Join& known = joins_[(reinterpret_cast<std::uintptr_t>(a.get()) / 64) % kJoins];
  if (known.a == a && known.b == b) return known.result;
  const auto behind = [](std::uint32_t one, std::uint32_t other) { return one <= other; };
  known.a = a;
  known.b = b;
  if (std::equal(b->begin(), b->end(), a->begin(), behind)) return known.result = a;
  auto result = std::make_shared<Clock>(*a);
  for (std::size_t i = 0; i < result->size(); ++i) (*result)[i] = std::max((*result)[i], (*b)[i]);
  return known.result = result;
}

void RaceWatch::all_met(const Thread* first, unsigned count) {
  if (!kOn) return;
  const std::size_t begin = number_of(*first);
  auto after = std::make_shared<Clock>(*before_[begin]);
  for (std::size_t i = begin + 1; i < begin + count; ++i) {
    if (before_[i] == before_[i - 1]) continue;
    for (std::size_t k = 0; k < after->size(); ++k) {
      (*after)[k] = std::max((*after)[k], (*before_[i])[k]);
    }
  }
  for (std::size_t i = begin; i < begin + count; ++i) (*after)[i] = step_[i]++;
  for (std::size_t i = begin; i < begin + count; ++i) before_[i] = after;
}

void RaceWatch::release(const Thread& thread, ClockPtr& clock) {
  if (!kOn) return;
  const std::size_t number = number_of(thread);
  auto until_now = std::make_shared<Clock>(*before_[number]);
  (*until_now)[number] = step_[number]++;
  clock = joined(clock, until_now);
}

void RaceWatch::acquire(const Thread& thread, const ClockPtr& clock) {
  if (!kOn || clock == nullptr) return;
  ClockPtr& before = before_[number_of(thread)];
  before = joined(before, clock);
}

void RaceWatch::cluster_met(const Cluster& cluster) {
  if (!kOn) return;
  auto met = std::make_shared<Clock>(step_.size());
  (*met)[number_of(cluster)] = static_cast<std::uint32_t>(cluster.phase);
  cluster_clocks_[static_cast<std::size_t>(&cluster - group_.clusters.data())] = met;
}

void RaceWatch::cluster_waited(const Thread& thread) {
  if (!kOn) return;
  const Cluster* cluster = thread.block->cluster;
  acquire(thread, cluster_clocks_[static_cast<std::size_t>(cluster - group_.clusters.data())]);
}

void RaceWatch::barrier_made(TransactionBarrier& barrier) {
  if (kOn) barrier.made_step = step_[number_of(*barrier.maker)];
}

bool RaceWatch::knows(const Thread& thread, const Block& owner,
                      const TransactionBarrier& barrier) const {
  if (!kOn || barrier.maker == &thread) return true;
  const Clock& before = *before_[number_of(thread)];
  if (thread.block == &owner && before[number_of(*barrier.maker)] >= barrier.made_step) return true;
  return barrier.known_phase != 0 && before[number_of(*owner.cluster)] >= barrier.known_phase;
}

void RaceWatch::begin_transfer(Transfer& transfer) {
  if (!kOn) return;
  release(*current, transfer.after);
}

void RaceWatch::end_transfer(const Transfer& transfer, ClockPtr& clock) {
  if (!kOn) return;
  const std::size_t engine =
      group_.threads.size() + static_cast<std::size_t>(transfer.target - group_.blocks.data());
  const Actor actor = {engine, packed(engine), transfer.after.get(), nullptr};
  const auto to = reinterpret_cast<std::uintptr_t>(transfer.to);
  if (transfer.from != nullptr) {
    check(actor, reinterpret_cast<std::uintptr_t>(transfer.from), transfer.bytes, false);
  }
  check(actor, to, transfer.bytes, true);
  // A send counts its bytes with a release of the cluster's scope, and happens after what its issuer did before: whoever
  // waits for it is behind all that. Of a bulk copy only what it wrote becomes visible.
  auto written = transfer.from == nullptr ? std::make_shared<Clock>(*transfer.after)
                                          : std::make_shared<Clock>(step_.size());
  (*written)[engine] = step_[engine]++;
  clock = joined(clock, written);
}

void RaceWatch::access(const Thread& thread, std::uintptr_t address, std::size_t bytes, bool writes,
                       const void* code) {
  const std::size_t number = number_of(thread);
  const Actor actor = {number, packed(number), before_[number].get(),
                       static_cast<const char*>(code)};
  check(actor, address, bytes, writes);
}

RaceCell* RaceWatch::cells_at(std::uintptr_t address, std::size_t bytes, bool& shared) {
  for (std::size_t i = 0; i < group_.blocks.size(); ++i) {
    const Block& block = group_.blocks[i];
    const std::uintptr_t offset = address - reinterpret_cast<std::uintptr_t>(block.memory);
    if (offset >= block.bytes) continue;
    shared = true;
    return offset + bytes <= block.bytes ? &shared_cells[i][offset / kBytesPerCell] : nullptr;
  }
  shared = false;
  CellRange* range = find_range(address);
  if (range == nullptr || address + bytes > range->end) return nullptr;
  return cells_of(*range) + (address - range->begin) / kBytesPerCell;
}

bool RaceWatch::ordered(const Actor& actor, std::uint64_t entry, bool shared) const {
  const std::uint64_t serial = serial_of(entry);
  if (serial != serial_) return shared || serial < first_group_of_launch;
  const std::size_t other = actor_of(entry);
  return other == actor.number || step_of(entry) <= (*actor.before)[other];
}

void RaceWatch::check(const Actor& actor, std::uintptr_t address, std::size_t bytes, bool writes) {
  bool shared = false;
  RaceCell* cell = cells_at(address, bytes, shared);
  if (cell == nullptr) return;
  const std::uint32_t place = place_of_code(actor.place);
  RaceCell* end = cell + (address % kBytesPerCell + bytes + kBytesPerCell - 1) / kBytesPerCell;
  for (; cell < end; ++cell) {
    if (!ordered(actor, cell->write, shared)) {
      report(actor, address, writes, cell->write, cell->write_place, true);
    }
    if (!writes) {
      cell->read = actor.now;
      cell->read_place = place;
      continue;
    }
    if (!ordered(actor, cell->read, shared)) {
      report(actor, address, writes, cell->read, cell->read_place, false);
    }
    cell->write = actor.now;
    cell->write_place = place;
  }
}

std::string RaceWatch::name_of(std::uint64_t entry) const {
  if (serial_of(entry) != serial_) return "a block that need not run at the same time";
  const std::size_t actor = actor_of(entry);
  if (actor < group_.threads.size()) return shim::name_of(group_.threads[actor]);
  return "an asynchronous write into " +
         shim::name_of(group_.blocks[actor - group_.threads.size()]);
}

void RaceWatch::report(const Actor& actor, std::uintptr_t address, bool writes, std::uint64_t other,
                       std::uint32_t place, bool other_writes) const {
  if (group_.has_failed()) return;
  std::string where;
  for (const Block& block : group_.blocks) {
    const std::uintptr_t offset = address - reinterpret_cast<std::uintptr_t>(block.memory);
    if (offset < block.bytes) {
      where = text("shared byte %zu of ", static_cast<std::size_t>(offset)) + shim::name_of(block);
    }
  }
  if (where.empty()) {
    const CellRange* range = find_range(address);
    where = text("byte %zu of %zu bytes of device memory",
                 static_cast<std::size_t>(address - range->begin),
                 static_cast<std::size_t>(range->end - range->begin));
  }
  group_.set_failure("race on " + where + ": " + name_of(actor.now) +
                     (writes ? " writes" : " reads") + describe_place(place_of_code(actor.place)) +
                     ", " + name_of(other) + (other_writes ? " wrote" : " read") +
                     describe_place(place) + ", and nothing orders the two");
}

}  // namespace papo::shim
