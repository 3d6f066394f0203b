// One row pair by one team of blocks: down for its state, one exchange, its numbers, up for its gradients.
//
// An `Op` says what is done with the statistics:
//   kGradients                 whether there is a walk up
//   pairs()                    RowPairs
//   wants_statistics()         false if only states are wanted, which are neither judged nor refined
//   skip(row)                  writes the results of a row that does not count
//   store_row_state(...)       writes a row's state
//   complete(...)              writes a row's results and makes the numbers of its walk up; the first warp
#pragma once

#include "cuda/device/arguments.hpp"
#include "cuda/device/lane_gradient.cuh"
#include "cuda/device/lane_refinement.cuh"
#include "cuda/device/rows.cuh"
#include "cuda/device/teams.cuh"

namespace papo::cuda {

PAPO_DEV bool counts_on_device(const RowPairs& pairs, std::int64_t row) {
  return pairs.mask == nullptr || dev::load_element(pairs.mask + row) != 0;
}

/// The chosen token's column, or -1 where another shard holds it.
PAPO_DEV int chosen_column(const RowPairs& pairs, std::int64_t row) {
  const std::int64_t column = dev::load_element(pairs.token_ids + row) - pairs.vocab_offset;
  return column >= 0 && column < pairs.vocab ? static_cast<int>(column) : -1;
}

template <typename T>
PAPO_DEV RowPart<T> part_of_row(const RowPairs& pairs, std::int64_t row, unsigned part,
                                unsigned parts) {
  const T* p = static_cast<const T*>(pairs.logits) + row * pairs.row_pitch;
  const T* q = pairs.masked_logits == nullptr
                   ? nullptr
                   : static_cast<const T*>(pairs.masked_logits) + row * pairs.masked_row_pitch;
  return RowPart<T>(p, q, static_cast<int>(pairs.vocab), static_cast<int>(part),
                    static_cast<int>(parts));
}

/// Which row failed first, and why: `failure` is 1 + its RowErrorKind.
PAPO_DEV void report_row(const RowPairs& pairs, std::int64_t row, unsigned failure) {
  dev::atomic_min(pairs.row_error,
                  static_cast<unsigned long long>(row) * kRowErrorKinds + failure - 1);
}

/// What is known of a row after its walk down. In shared memory: the walks and float64 need the registers.
struct RowFindings {
  TokenStatistics statistics;
  float reference_p, reference_q;
  unsigned possible;  ///< kPossibleP, kPossibleQ
  unsigned failure;   ///< 0, or 1 + its RowErrorKind
};
static_assert(sizeof(RowFindings) == BlockLayout::kFindingsBytes, "as the layout has it");

PAPO_DEV RowErrorKind kind_of(const RowState& state) {
  if (usable(state.sum_p)) {
    return state.sum_q == 0 ? RowErrorKind::masked_empty : RowErrorKind::masked_not_finite;
  }
  return state.sum_p == 0 ? RowErrorKind::logits_empty : RowErrorKind::logits_not_finite;
}

/// The walk up over this block's part.
template <typename T, bool kBoth, typename Rows>
PAPO_DEV void write_gradients(const GradientNumbers& numbers, float scale, const RowPart<T>& part,
                              const Rows& rows, int chosen, const GradientRow& to_p,
                              const GradientRow& to_q) {
  const LaneGradient gradient(numbers, scale);
  // What the walk overwrites where it accumulates.
  const bool takes_chosen =
      (part.edge >= 0 && part.edge == chosen) || takes_column<T>(part.cut, part.slice, chosen);
  const float before_p = takes_chosen ? load_before<T>(to_p, chosen) : 0;
  const float before_q = takes_chosen ? load_before<T>(to_q, chosen) : 0;

  rows.template each<kBoth, true>(NoStart{}, [&](int i, const uint4& p, const uint4& q) {
    float x_p[kEntries<T>];
    unpack<T>(p, x_p);
    // Without this the compiler keeps a running address for each way of storing that it may not take.
    const int column = part.column_of(dev::forgotten(i));
    if constexpr (kBoth) {
      float x_q[kEntries<T>];
      unpack<T>(q, x_q);
      PAPO_UNROLL
      for (int k = 0; k < kEntries<T>; ++k) gradient.both(x_p[k], x_q[k], x_p[k], x_q[k]);
      if (to_p.data != nullptr) store_group<T>(to_p, column, x_p);
      if (to_q.data != nullptr) store_group<T>(to_q, column, x_q);
    } else {
      PAPO_UNROLL
      for (int k = 0; k < kEntries<T>; ++k) x_p[k] = gradient.alone(x_p[k]);
      store_group<T>(to_p, column, x_p);
    }
  });
  if (part.edge >= 0) {
    // Only this thread reads and writes this column, so in place it is still there.
    const float x_p = part.edge_of_p();
    float grad_p = 0;
    if constexpr (kBoth) {
      const float x_q = part.edge_of_q();
      float grad_q = 0;
      gradient.both(x_p, x_q, grad_p, grad_q);
      store_entry<T>(to_q, part.edge, load_before<T>(to_q, part.edge) + grad_q);
    } else {
      grad_p = gradient.alone(x_p);
    }
    store_entry<T>(to_p, part.edge, load_before<T>(to_p, part.edge) + grad_p);
  }
  if (!takes_chosen) return;
  if ((numbers.form & kPossibleP) != 0) store_entry<T>(to_p, chosen, before_p + numbers.chosen_p);
  if (kBoth && (numbers.form & kPossibleQ) != 0) {
    store_entry<T>(to_q, chosen, before_q + numbers.chosen_q);
  }
}

template <typename T, bool kMasked, typename Rows>
PAPO_DEV void walk_up(const GradientNumbers& numbers, float scale, const RowPart<T>& part,
                      const Rows& rows, int chosen, const GradientRow& to_p,
                      const GradientRow& to_q) {
  if ((numbers.form & kClears) != 0) {
    clear_gradient<T>(to_p, part.cut, part.slice, part.edge);
    clear_gradient<T>(to_q, part.cut, part.slice, part.edge);
    return;
  }
  if constexpr (kMasked) {
    if ((numbers.form & kUsesBoth) != 0) {
      write_gradients<T, true>(numbers, scale, part, rows, chosen, to_p, to_q);
      return;
    }
  }
  if (to_p.data != nullptr) {
    write_gradients<T, false>(numbers, scale, part, rows, chosen, to_p, to_q);
  }
}

/// This block's state of a row that counts, in every lane of each half of the first warp (elsewhere it is empty).
/// Ends with a barrier of the block before which all threads have seen that all of the team run.
template <typename T, bool kMasked, typename Op, typename RowsOf, typename Team>
PAPO_DEV PolicySums<float> block_state(const Op& op, unsigned row, const RowsOf& rows_of,
                                       Team& team) {
  const RowPairs& pairs = op.pairs();
  const float scale = pairs.inverse_temperature;
  const RowPart<T> part = part_of_row<T>(pairs, row, team.rank, team.size);
  const bool first_warp = warp_index() == 0;
  const int chosen = first_warp && team.rank == 0 ? chosen_column(pairs, row) : -1;
  // Every other block waits for this one's state, which depends on this load: in place, nobody has written yet.
  float chosen_logit = -INFINITY;
  if (chosen >= 0 && part_of_lane() == 0 && (kMasked || lane_index() == 0)) {
    const T* logits = lane_index() == 0 ? part.p : part.q;
    chosen_logit = Format<T>::value(dev::load_element(logits + chosen));
  }

  LaneSums state;
  float first_p = kNoReference;
  float first_q = kNoReference;
  rows_of(part).template each<kMasked, false>(
      [&](const uint4& p, const uint4& q) {
        state.reference_p = first_p = first_reference<T>(p, scale);
        if constexpr (kMasked) state.reference_q = first_q = first_reference<T>(q, scale);
      },
      [&](int, const uint4& p, const uint4& q) { add_group<T, kMasked>(state, p, q, scale); });
  state.settle();
  if (part.edge >= 0) {
    add_edge<kMasked>(state, part.edge_of_p(), kMasked ? part.edge_of_q() : 0, scale);
  }
  merge_warp<kMasked>(state, first_p, first_q);

  auto* warp_states = reinterpret_cast<float*>(team.memory + team.layout.warp_states);
  store_warp_state<kMasked>(state, warp_states);
  team.wait_for_all();
  dev::sync_block();
  PolicySums<float> block;
  if (!first_warp) return block;
  block = load_warp_states(warp_states);
  // Read by every lane: what held them makes room for other numbers from here on.
  dev::sync_warp();
  block.chosen = chosen_logit;
  merge_parts(block);
  return block;
}

/// The refinement's walk: its two sums over the block, in the first warp.
template <typename T, typename Op, typename RowsOf, typename Team>
PAPO_DEV void block_divergence(const Op& op, unsigned row, const RowsOf& rows_of, Team& team,
                               const RefinementNumbers& numbers, double& kl, double& reverse_kl) {
  const float scale = op.pairs().inverse_temperature;
  const RowPart<T> part = part_of_row<T>(op.pairs(), row, team.rank, team.size);
  float lane_kl = 0;
  float lane_reverse_kl = 0;
  rows_of(part).template each<true, false>(NoStart{}, [&](int, const uint4& p, const uint4& q) {
    refine_group<T>(numbers, scale, p, q, lane_kl, lane_reverse_kl);
  });
  if (part.edge >= 0) {
    refine_entry(numbers, scale, part.edge_of_p(), part.edge_of_q(), lane_kl, lane_reverse_kl);
  }
  add_lanes(lane_kl, lane_reverse_kl);
  auto* pairs = reinterpret_cast<double*>(team.memory + team.layout.warp_pairs);
  if (lane_index() == 0) {
    pairs[2 * warp_index()] = lane_kl;
    pairs[2 * warp_index() + 1] = lane_reverse_kl;
  }
  dev::sync_block();
  if (warp_index() == 0) load_pair(pairs, 2, kWarps, kl, reverse_kl);
}

/// A row that does not count: zeros, unless they are there already, and nothing is read.
template <typename T, typename Op>
PAPO_DEV void skip_row(const Op& op, std::int64_t row, const RowPart<T>& part, unsigned rank) {
  if constexpr (Op::kGradients) {
    if (!op.gradients_are_zeroed()) {
      clear_gradient<T>(op.template gradient_p<T>(row, part.cut), part.cut, part.slice, part.edge);
      clear_gradient<T>(op.template gradient_q<T>(row, part.cut), part.cut, part.slice, part.edge);
    }
  }
  if (rank == 0 && dev::thread_index() == 0) op.skip(row);
}

/// From the blocks' states to the row's findings. The first warp.
template <bool kMasked, typename Op, typename Team>
PAPO_DEV void find_statistics(const Op& op, std::int64_t row, const PolicySums<float>& block,
                              Team& team, RefinementNumbers* refinement, RowFindings* findings) {
  const PolicySums<double> own = team.exchange(block);
  const RowState state = both_policies(own);
  const bool good = usable(state, kMasked);
  const bool leads = lane_index() == 0;
  if (leads) {
    if (team.rank == 0) op.store_row_state(row, state);
    findings->reference_p = state.reference_p;
    findings->reference_q = state.reference_q;
    findings->possible = (state.chosen_p > -INFINITY ? kPossibleP : 0U) |
                         (state.chosen_q > -INFINITY ? kPossibleQ : 0U);
    findings->failure = good ? 0 : 1 + static_cast<unsigned>(kind_of(state));
    refinement->wanted = 0;
  }
  if (!op.wants_statistics()) return;
  const double own_log = log(own.sum);
  const double log_p = dev::shuffle(own_log, 0U);
  const double log_q = dev::shuffle(own_log, 16U);
  if (!leads) return;
  const TokenStatistics statistics =
      finish(state, kMasked, op.pairs().inverse_temperature, log_p, log_q);
  findings->statistics = statistics;
  if (kMasked && good && wants_refinement(statistics)) {
    *refinement = refinement_numbers(state, log_p, log_q);
  }
}

/// A row that counts. All threads of the team's blocks take part. `rows_of(part)` finds the part in memory.
template <typename T, bool kMasked, typename Op, typename RowsOf, typename Team>
PAPO_DEV void walk_row(const Op& op, unsigned row, const RowsOf& rows_of, Team& team) {
  const RowPairs& pairs = op.pairs();
  const float scale = pairs.inverse_temperature;
  const bool first_warp = warp_index() == 0;
  auto* refinement = reinterpret_cast<RefinementNumbers*>(team.memory + team.layout.slots +
                                                          BlockLayout::kRefinementNumbers);
  auto* gradient = reinterpret_cast<GradientNumbers*>(team.memory + team.layout.slots +
                                                      BlockLayout::kGradientNumbers);
  auto* findings = reinterpret_cast<RowFindings*>(team.memory + team.layout.findings);
  const PolicySums<float> block = block_state<T, kMasked>(op, row, rows_of, team);
  // The first warp needs its registers for float64: where the row lies is found out again afterwards.
  row = dev::forgotten(row);
  if (first_warp) find_statistics<kMasked>(op, row, block, team, refinement, findings);
  if constexpr (kMasked) {
    dev::sync_block();
    const RefinementNumbers numbers = *refinement;
    if (numbers.wanted != 0) {
      double kl = 0;
      double reverse_kl = 0;
      block_divergence<T>(op, row, rows_of, team, numbers, kl, reverse_kl);
      if (first_warp) {
        team.exchange_pair(kl, reverse_kl);
        if (lane_index() == 0) {
          findings->statistics.kl = fmax(0.0, kl);
          findings->statistics.reverse_kl = fmax(0.0, reverse_kl);
        }
      }
    }
  }
  row = dev::forgotten(row);
  if (first_warp) {
    dev::sync_warp();
    op.template complete<kMasked>(row, team.rank == 0, findings, gradient);
  }
  if constexpr (Op::kGradients) {
    if (!op.writes_gradients()) return;
    row = dev::forgotten(row);
    dev::sync_block();
    const RowPart<T> part = part_of_row<T>(pairs, row, team.rank, team.size);
    const GradientNumbers numbers = *gradient;
    walk_up<T, kMasked>(numbers, scale, part, rows_of(part), chosen_column(pairs, row),
                        op.template gradient_p<T>(row, part.cut),
                        op.template gradient_q<T>(row, part.cut));
  }
}

}  // namespace papo::cuda
