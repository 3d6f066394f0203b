// papo_loss on CUDA: statistics, objective and gradients of a row pair in one launch.
//
// resident (compute capability 9.0 and up): a cluster of 1 to 16 blocks of 256 threads per row pair. Block `rank` brings
// its slice of both rows into shared memory by bulk copies, walks down it, sends its 48-byte state to every peer, and
// walks up the same slice, so that each logit is read once and each gradient written once: 2 V read, 2 V written, in
// units of the element's size. Three blocks share a multiprocessor: while one exchanges, the others move data.
// streaming (7.5 and up, any shape and alignment): a team of 1 to 16 blocks per row pair, a cooperative grid of teams; the
// walk up reads the rows again, from the L2 where the rows in flight fit: 4 V read, 2 V written.
// In both a thread takes every 256th 16-byte vector of its block's slice. A row that does not count costs its
// zeros, or nothing where they are there already.
//
// Instructions per column (one logit of each policy), counted in sm_90's machine code of the resident kernel, bfloat16:
// 19.1 down (153 for 8 columns) and 25.1 up (201). In the time that an H200 needs to read a column (4.3 TB/s, 1.755 GHz)
// it can issue 27.6, and 55.2 in the time to read it and write its gradients: the walk down takes 69 % of the first, both
// walks together 80 % of the second. Nothing here was timed on a GPU yet; judge it in GB/s.
//
// Lanes sum in float32, the sums of exponentials compensated; from the exchange on, and for everything per row, float64:
// the first warp of every block does the same in it, to the bit. The order of all sums is fixed: no atomics but the
// integer minimum that names a failing row.
#include "cuda/launch.hpp"
#include "math/token_lines.hpp"

namespace papo::cuda {
namespace {

struct PapoLossOp {
  const PapoLossArgs& args;

  static constexpr bool kGradients = true;

  PAPO_DEV const RowPairs& pairs() const { return args.pairs; }
  PAPO_DEV bool wants_statistics() const { return true; }
  PAPO_DEV bool writes_gradients() const { return args.gradients.any(); }
  PAPO_DEV bool gradients_are_zeroed() const { return args.gradients.zeroed; }

  template <typename T>
  PAPO_DEV GradientRow gradient_p(std::int64_t row, const RowCut& cut) const {
    const Gradients& to = args.gradients;
    return gradient_row<T>(to.grad_logits, to.dtype, to.row_pitch, row, cut, false);
  }
  template <typename T>
  PAPO_DEV GradientRow gradient_q(std::int64_t row, const RowCut& cut) const {
    const Gradients& to = args.gradients;
    return gradient_row<T>(to.grad_masked_logits, to.dtype, to.masked_row_pitch, row, cut, false);
  }

  PAPO_DEV static double number(const double* numbers, std::int64_t row) {
    return numbers == nullptr ? 0 : numbers[row];
  }

  PAPO_DEV TokenInputs inputs(std::int64_t row) const {
    TokenInputs token;
    token.has_old = args.old_log_probs != nullptr;
    token.has_ref = args.ref_log_probs != nullptr;
    token.has_masked = args.pairs.masked_logits != nullptr || args.masked_log_probs != nullptr;
    token.old_log_prob = number(args.old_log_probs, row);
    token.ref_log_prob = number(args.ref_log_probs, row);
    token.advantage = number(args.advantages, row);
    token.weight = number(args.weights, row);
    const bool own = args.perception_weights != nullptr;
    token.perception_weight = own ? args.perception_weights[row] : token.weight;
    token.entropy_weight = number(args.entropy_weights, row);
    return token;
  }

  PAPO_DEV std::size_t rows() const { return static_cast<std::size_t>(args.pairs.rows); }

  PAPO_DEV void skip(std::int64_t row) const {
    store_statistics({}, args.statistics, rows(), static_cast<std::size_t>(row));
    store_terms({}, args.terms, rows(), static_cast<std::size_t>(row));
  }

  PAPO_DEV void store_row_state(std::int64_t, const RowState&) const {}

  /// Every lane does the same, but that the exponentials are taken side by side: in float64 each takes hundreds of
  /// cycles, during which the row's blocks wait.
  template <bool kMasked>
  PAPO_DEV void complete(std::int64_t row, bool writes, const RowFindings* findings,
                         GradientNumbers* numbers) const {
    TokenStatistics statistics = findings->statistics;
    const TokenInputs token = inputs(row);
    if (args.masked_log_probs != nullptr) statistics.masked_log_prob = args.masked_log_probs[row];
    const LogRatios logs = log_ratios(args.objective, statistics, token);
    const double power = exp(
        of_lane(logs.old.value, -rest_of(statistics.log_sum_exp, findings->reference_p),
                statistics.log_prob, -rest_of(statistics.masked_log_sum_exp, findings->reference_q),
                statistics.masked_log_prob));
    const double difference = of_lane(logs.ref.value, logs.masked.value, statistics.log_prob,
                                      statistics.masked_log_prob, 0);
    const double less_1 = expm1(difference);
    Ratios ratios;
    ratios.old = dev::shuffle(power, 0U);
    ratios.ref_less_1 = dev::shuffle(less_1, 0U);
    ratios.masked_less_1 = dev::shuffle(less_1, 1U);
    if (uses_log_cosh(args.objective)) {
      const double log_cosh = log_cosh_half(difference, less_1);
      ratios.ref_log_cosh = dev::shuffle(log_cosh, 0U);
      ratios.masked_log_cosh = dev::shuffle(log_cosh, 1U);
    }
    writes = writes && lane_index() == 0;
    const auto at = static_cast<std::size_t>(row);
    if (writes) store_statistics(statistics, args.statistics, rows(), at);
    const TokenObjective objective =
        token_objective(args.objective, statistics, token, logs, ratios);
    const unsigned failure = findings->failure != 0 ? findings->failure
                             : objective.finite
                                 ? 0
                                 : 1 + static_cast<unsigned>(RowErrorKind::infinite_kl);
    if (writes && failure == 0) store_terms(objective.terms, args.terms, rows(), at);
    if (writes && failure != 0) {
      report_row(args.pairs, row, failure);
      skip(row);
    }
    if (!writes_gradients()) return;

    RowPowers powers;
    powers.share_p = dev::shuffle(power, 1U);
    powers.p = dev::shuffle(power, 2U);
    powers.p_less_1 = dev::shuffle(less_1, 2U);
    if constexpr (kMasked) {
      powers.share_q = dev::shuffle(power, 3U);
      powers.q = dev::shuffle(power, 4U);
      powers.q_less_1 = dev::shuffle(less_1, 3U);
    }
    // The objective needed the statistics' registers; here they are read once more.
    dev::sync_warp();
    const RowGradient gradient =
        row_gradient(findings->statistics, objective.cotangents, findings->reference_p,
                     findings->reference_q, args.scale, kMasked, powers);
    if (lane_index() != 0) return;
    *numbers = gradient_numbers(gradient, findings->reference_p, findings->reference_q,
                                args.gradients.grad_masked_logits != nullptr, findings->possible);
    if (failure != 0) numbers->form = kClears;
  }
};

template <typename T, bool kMasked>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    papo_loss_resident(const __grid_constant__ ResidentLaunch<PapoLossArgs> launch) {
  if constexpr (dev::kHasClusters) {
    resident_row<T, kMasked>(PapoLossOp{launch.args}, launch.shape);
  }
}

template <typename T, bool kMasked>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    papo_loss_streaming(const __grid_constant__ StreamingLaunch<PapoLossArgs> launch) {
  stream_rows<T, kMasked>(PapoLossOp{launch.args}, launch.shape);
}

}  // namespace

std::size_t scratch_bytes(const Machine& machine, const PapoLossArgs&) {
  return team_scratch_bytes(machine);
}

cudaError_t launch_papo_loss(const Machine& machine, const PapoLossArgs& args, Scratch scratch,
                             cudaStream_t stream, const Choice& choice) {
  // A second walk refines the KLs, a third writes the gradients.
  const bool again = args.gradients.any() || args.pairs.masked_logits != nullptr;
  return for_logits(args.pairs, [&](auto tag, auto masked) {
    using T = decltype(tag);
    constexpr bool kMasked = decltype(masked)::value;
    const RowKernels<PapoLossArgs> kernels = {papo_loss_resident<T, kMasked>,
                                              papo_loss_streaming<T, kMasked>};
    return launch_rows(machine, kernels, args, again, scratch, stream, choice);
  });
}

}  // namespace papo::cuda
