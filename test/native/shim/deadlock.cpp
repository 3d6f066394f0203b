// In words: threads, blocks and places, who waits for what, and who may not leave yet.
#include <algorithm>
#include <map>

#include "shim/grid.hpp"
#include "shim/report.hpp"

namespace papo::shim {
namespace {

const char* name_of(Wait wait) {
  switch (wait) {
    case Wait::warp:
      return "for the rest of their warp";
    case Wait::block:
      return "for the rest of their block";
    case Wait::cluster:
      return "for the rest of their cluster";
    case Wait::transactions:
      return "for a transaction barrier";
    case Wait::flag:
      return "for a flag in global memory";
    case Wait::none:
      break;
  }
  return "for nothing";
}

/// "0-31, 40"
std::string ranges(const std::vector<unsigned>& sorted) {
  std::string result;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t last = i;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    if (!result.empty()) result += ", ";
    result += std::to_string(sorted[i]);
    if (last > i) result += "-" + std::to_string(sorted[last]);
    i = last + 1;
  }
  return result;
}

/// "1 arrival and 48 bytes are missing"
std::string missing_of(const TransactionBarrier& barrier) {
  std::string result = text("%u arrival%s", barrier.pending, barrier.pending == 1 ? "" : "s");
  const auto bytes = static_cast<std::ptrdiff_t>(barrier.bytes);
  if (bytes >= 0) return result + text(" and %td bytes are missing", bytes);
  return result + text(" missing, and %td bytes came that nobody announced", -bytes);
}

/// What each block waits for; blocks that wait for the same share a line.
std::vector<std::string> who_waits(const Group& group) {
  std::map<std::string, std::vector<unsigned>> blocks_by_line;
  for (std::size_t b = 0; b < group.blocks.size(); ++b) {
    const Block& block = group.blocks[b];
    std::map<std::string, std::vector<unsigned>> threads_by_wait;
    for (unsigned t = 0; t < block.thread_count; ++t) {
      const Thread& thread = block.threads[t];
      if (thread.done) continue;
      threads_by_wait[std::string(name_of(thread.wait)) + " (" + name_of(thread.where) + ")"]
          .push_back(t);
    }
    const unsigned number = block.y * group.shape.grid_x + block.x;
    for (const auto& [wait, threads] : threads_by_wait) {
      blocks_by_line["threads " + ranges(threads) + " wait " + wait].push_back(number);
    }
    for (const TransactionBarrier& barrier : block.barriers) {
      if (barrier.pending == barrier.count && barrier.bytes == 0) continue;
      blocks_by_line[text("the transaction barrier at shared byte %zu: ", barrier.offset) +
                     missing_of(barrier)]
          .push_back(number);
    }
  }
  std::vector<std::string> lines;
  for (auto& [line, blocks] : blocks_by_line) {
    std::sort(blocks.begin(), blocks.end());
    lines.push_back((blocks.size() == 1 ? "block " : "blocks ") + ranges(blocks) + ": " + line);
  }
  return lines;
}

}  // namespace

std::string name_of(Where where) {
  const char* slash = std::strrchr(where.file, '/');
  return text("%s:%d", slash != nullptr ? slash + 1 : where.file, where.line);
}

std::string name_of(const Block& block) {
  return block.y == 0 ? text("block %u", block.x) : text("block (%u, %u)", block.x, block.y);
}

std::string name_of(const Thread& thread) {
  return text("thread %u of ", thread.index) + name_of(*thread.block);
}

std::string describe_deadlock(const Group& group) {
  constexpr std::size_t kMostLines = 16;
  const std::vector<std::string> lines = who_waits(group);
  std::string result = "deadlock: nothing that any thread waits for can come any more";
  for (std::size_t i = 0; i < lines.size() && i < kMostLines; ++i) result += "\n  " + lines[i];
  if (lines.size() > kMostLines) {
    result += text("\n  and %zu more lines", lines.size() - kMostLines);
  }
  if (!group.shape.cooperative && group.shape.blocks() > group.blocks.size()) {
    result +=
        "\n  (the other blocks of the grid do not run now: without a cooperative launch, nothing "
        "promises that all run together)";
  }
  return result;
}

std::string objection_to_exit(const Thread& thread) {
  const Block& block = *thread.block;
  const Warp& warp = *thread.warp;
  const Cluster& cluster = *block.cluster;
  if (warp.arrived != 0) {
    return name_of(thread) + " leaves the kernel while others of its warp wait in " +
           warp.operation + " (" + name_of(warp.where) + ")";
  }
  if (block.arrived != 0) {
    return name_of(thread) + " leaves the kernel while others of its block wait in " +
           block.operation + " (" + name_of(block.where) + ")";
  }
  if (thread.between_arrive_and_wait) {
    return name_of(thread) + " leaves the kernel without waiting for the cluster's barrier it " +
           "arrived at (" + name_of(thread.cluster_where) + ")";
  }
  if (cluster.arrived != 0) {
    return name_of(thread) + " leaves the kernel while others of its cluster wait at the " +
           "cluster's barrier";
  }
  return {};
}

}  // namespace papo::shim
