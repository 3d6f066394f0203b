// token_stats, and the states of token_stats_partial, on CUDA: one walk down both logits rows.
//
// Traffic per row pair: both rows once; the [rows] numbers are nothing beside them. Rows whose policies nearly agree
// are walked a second time for their KLs, from shared memory (resident) or the L2 (streaming).
// Blocks, threads and sums are those of papo_loss.cu, which says how they are laid out and why: statistics of the two
// ops have the same bits. 19.1 instructions per column (sm_90, bfloat16, both policies), 69 % of what an H200 can issue
// while it reads one; the refinement takes 37.
#include "cuda/launch.hpp"
#include "math/token_lines.hpp"

namespace papo::cuda {
namespace {

struct TokenStatsOp {
  const TokenStatsArgs& args;

  static constexpr bool kGradients = false;

  PAPO_DEV const RowPairs& pairs() const { return args.pairs; }
  PAPO_DEV bool wants_statistics() const { return args.statistics != nullptr; }

  PAPO_DEV std::size_t rows() const { return static_cast<std::size_t>(args.pairs.rows); }

  PAPO_DEV void store_row_state(std::int64_t row, const RowState& state) const {
    if (args.states == nullptr) return;
    store_state(state, args.states, rows(), static_cast<std::size_t>(row));
  }

  PAPO_DEV void store(std::int64_t row, const TokenStatistics& statistics, bool invalid) const {
    if (args.statistics != nullptr) {
      store_statistics(statistics, args.statistics, rows(), static_cast<std::size_t>(row));
    }
    if (args.invalid != nullptr) args.invalid[row] = invalid ? 1 : 0;
  }

  PAPO_DEV void skip(std::int64_t row) const {
    store_row_state(row, RowState{});
    store(row, TokenStatistics{}, false);
  }

  template <bool kMasked>
  PAPO_DEV void complete(std::int64_t row, bool writes, const RowFindings* findings,
                         GradientNumbers*) const {
    if (!writes || lane_index() != 0) return;
    const unsigned failure = findings->failure;
    if (failure != 0 && !args.skip_invalid) report_row(args.pairs, row, failure);
    if (failure != 0 || !wants_statistics()) {
      store(row, TokenStatistics{}, failure != 0);
    } else {
      store(row, findings->statistics, false);
    }
  }
};

template <typename T, bool kMasked>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    token_stats_resident(const __grid_constant__ ResidentLaunch<TokenStatsArgs> launch) {
  if constexpr (dev::kHasClusters) {
    resident_row<T, kMasked>(TokenStatsOp{launch.args}, launch.shape);
  }
}

template <typename T, bool kMasked>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    token_stats_streaming(const __grid_constant__ StreamingLaunch<TokenStatsArgs> launch) {
  stream_rows<T, kMasked>(TokenStatsOp{launch.args}, launch.shape);
}

}  // namespace

std::size_t scratch_bytes(const Machine& machine, const TokenStatsArgs&) {
  return team_scratch_bytes(machine);
}

cudaError_t launch_token_stats(const Machine& machine, const TokenStatsArgs& args, Scratch scratch,
                               cudaStream_t stream, const Choice& choice) {
  // A second walk refines the KLs.
  const bool again = args.statistics != nullptr && args.pairs.masked_logits != nullptr;
  return for_logits(args.pairs, [&](auto tag, auto masked) {
    using T = decltype(tag);
    constexpr bool kMasked = decltype(masked)::value;
    const RowKernels<TokenStatsArgs> kernels = {token_stats_resident<T, kMasked>,
                                                token_stats_streaming<T, kMasked>};
    return launch_rows(machine, kernels, args, again, scratch, stream, choice);
  });
}

}  // namespace papo::cuda
