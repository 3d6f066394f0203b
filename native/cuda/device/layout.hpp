// How a block's shared memory is laid out and how many threads it has: what kernels and launch plans agree on.
#pragma once

#include <cstddef>

#include "math/hostdev.hpp"

namespace papo::cuda {

inline constexpr int kThreads = 256;
inline constexpr int kWarps = kThreads / 32;
/// Blocks for which a multiprocessor has registers, 80 a thread; with three, one computes while two move data.
inline constexpr int kBlocksPerMultiprocessor = 3;
/// Parts of a row that one merge takes: half a warp, the other half being the other policy's.
inline constexpr int kMostParts = 16;
/// Pieces a slice arrives in, so that the first can be summed while the last is still coming.
inline constexpr int kChunks = 4;

/// Shared memory behind the slices. Offsets are bytes and multiples of 16.
///
/// A part's state is 12 float32, a warp's 10 (it knows no chosen logit). What is no longer needed makes room: the
/// slots of the exchange, once read, hold the row's numbers, and the warps' states the refinement's sums and the
/// row's findings, which wait there while their registers are needed.
/// 768 bytes for 8 parts: with slices of 76 032 bytes (a row pair of 152 064 bfloat16 over 8 blocks) three blocks
/// still fit the 228 KB of a multiprocessor.
struct BlockLayout {
  static constexpr int kSlotBytes = 48;
  static constexpr int kWarpBytes = 40;
  static constexpr int kPairBytes = 16;
  static constexpr int kFindingsBytes = 80;
  static constexpr int kBarriers = kChunks + 2;
  /// Within the slots: the numbers of the walk up, and those of the refinement.
  static constexpr int kGradientNumbers = 0;
  static constexpr int kRefinementNumbers = 64;

  int slots;
  int warp_states;
  int warp_pairs;
  int pair_slots;
  int findings;
  int barriers;
  int bytes;

  PAPO_HD static constexpr BlockLayout of(int parts) {
    const int slots = parts < 2 ? 96 : kSlotBytes * parts;
    const int pairs = slots + kPairBytes * kWarps;
    const int findings = pairs + kPairBytes * parts;
    const int states_end = slots + kWarpBytes * kWarps;
    const int findings_end = findings + kFindingsBytes;
    const int barriers = states_end > findings_end ? states_end : findings_end;
    return {0, slots, slots, pairs, findings, barriers, barriers + 8 * kBarriers};
  }
};

/// Scratch of teams in global memory: a flag for each block, then two slots for each.
struct TeamScratch {
  PAPO_HD static constexpr std::size_t flag_bytes(int teams, int parts) {
    return (static_cast<std::size_t>(teams * parts) * sizeof(int) + 15) / 16 * 16;
  }
  PAPO_HD static constexpr std::size_t bytes(int teams, int parts) {
    return flag_bytes(teams, parts) +
           static_cast<std::size_t>(teams * parts) * 2 * BlockLayout::kSlotBytes;
  }
};
static_assert(BlockLayout::of(8).bytes == 768,
              "three blocks of the largest bfloat16 slices must fit");

}  // namespace papo::cuda
