// token_stats_grad on CUDA: cotangents of the statistics -> gradients of both logits, one walk up and no exchange.
//
// Traffic per row pair: both rows read once, both gradients written once (and read, where they accumulate); of a row
// that does not count, zeros are written, unless they are there already, and nothing is read. One block takes a part of a row: its first warp makes
// the coefficients from the row's statistics, in float64, then every thread walks over each 256th 16-byte vector.
#include "cuda/launch.hpp"
#include "math/token_lines.hpp"

namespace papo::cuda {
namespace {

struct PartLaunch {
  TokenStatsGradArgs args;
  int parts;
};

/// Vectors per thread that are worth the coefficients, which every part of a row makes anew.
constexpr int kLeastVectors = 8;

/// The numbers of a row's walk up, in the first lane. The first warp, which takes the exponentials side by side.
template <bool kMasked>
PAPO_DEV GradientNumbers numbers_of_row(const TokenStatsGradArgs& args, unsigned row) {
  const auto rows = static_cast<std::size_t>(args.pairs.rows);
  const TokenStatistics statistics = load_statistics(args.statistics, rows, row);
  const auto reference_p = static_cast<float>(statistics.log_sum_exp);
  const auto reference_q = static_cast<float>(statistics.masked_log_sum_exp);
  const double power = exp(
      of_lane(-rest_of(statistics.log_sum_exp, reference_p), statistics.log_prob,
              -rest_of(statistics.masked_log_sum_exp, reference_q), statistics.masked_log_prob, 0));
  const double less_1 = expm1(of_lane(statistics.log_prob, statistics.masked_log_prob, 0, 0, 0));
  RowPowers powers;
  powers.share_p = dev::shuffle(power, 0U);
  powers.p = dev::shuffle(power, 1U);
  powers.p_less_1 = dev::shuffle(less_1, 0U);
  if constexpr (kMasked) {
    powers.share_q = dev::shuffle(power, 2U);
    powers.q = dev::shuffle(power, 3U);
    powers.q_less_1 = dev::shuffle(less_1, 1U);
  }
  const RowGradient gradient = row_gradient(statistics, load_cotangents(args.cotangents, rows, row),
                                            reference_p, reference_q, args.scale, kMasked, powers);
  const unsigned possible = (statistics.log_prob > -INFINITY ? kPossibleP : 0U) |
                            (statistics.masked_log_prob > -INFINITY ? kPossibleQ : 0U);
  return gradient_numbers(gradient, reference_p, reference_q,
                          args.gradients.grad_masked_logits != nullptr, possible);
}

template <typename T, bool kMasked>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    token_stats_grad_streaming(const __grid_constant__ PartLaunch launch) {
  const TokenStatsGradArgs& args = launch.args;
  const RowPairs& pairs = args.pairs;
  const auto parts = static_cast<unsigned>(launch.parts);
  const unsigned row = dev::block_index() / parts;
  const RowPart<T> part = part_of_row<T>(pairs, row, dev::block_index() % parts, parts);
  const Gradients& to = args.gradients;
  const GradientRow to_p =
      gradient_row<T>(to.grad_logits, to.dtype, to.row_pitch, row, part.cut, args.accumulate);
  const GradientRow to_q = gradient_row<T>(to.grad_masked_logits, to.dtype, to.masked_row_pitch,
                                           row, part.cut, args.accumulate);
  if (!counts_on_device(pairs, row)) {
    if (to.zeroed) return;
    clear_gradient<T>(to_p, part.cut, part.slice, part.edge);
    clear_gradient<T>(to_q, part.cut, part.slice, part.edge);
    return;
  }
  auto* shared = reinterpret_cast<GradientNumbers*>(dev::shared_memory());
  if (warp_index() == 0) {
    const GradientNumbers made = numbers_of_row<kMasked>(args, row);
    if (lane_index() == 0) *shared = made;
  }
  dev::sync_block();
  const GradientNumbers numbers = *shared;
  walk_up<T, kMasked>(numbers, pairs.inverse_temperature, part, GlobalRows<T>(part),
                      chosen_column(pairs, row), to_p, to_q);
}

}  // namespace

cudaError_t launch_token_stats_grad(const Machine&, const TokenStatsGradArgs& args,
                                    cudaStream_t stream) {
  const RowPairs& pairs = args.pairs;
  if (pairs.rows == 0 || !args.gradients.any()) return cudaSuccess;
  if (!within_reach(pairs)) return cudaErrorInvalidValue;
  const std::int64_t vectors = shape_of(pairs, false).vectors();
  std::int64_t parts = vectors / (kThreads * kLeastVectors);
  if (parts * pairs.rows > kMostBlocks) parts = kMostBlocks / pairs.rows;
  if (parts < 1) parts = 1;
  return for_logits(pairs, [&](auto tag, auto masked) {
    const cudaLaunchConfig_t config =
        configuration(pairs.rows * parts, sizeof(GradientNumbers), stream);
    return cudaLaunchKernelEx(&config,
                              token_stats_grad_streaming<decltype(tag), decltype(masked)::value>,
                              PartLaunch{args, static_cast<int>(parts)});
  });
}

}  // namespace papo::cuda
