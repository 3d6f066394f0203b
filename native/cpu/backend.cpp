#include "cpu/backend.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include "core/floating_point.hpp"
#include "cpu/parallel.hpp"
#include "ops/token_objective.hpp"

namespace papo::cpu {
namespace {

/// Of the whole process, by whichever environment came first: others register while ops run.
std::atomic<Isa> active{Isa::scalar};
std::once_flag chosen;

/// Blocks of 2^17 logits, a millisecond at most: long enough to hide handing them out, short enough to answer a
/// cancellation. Of a call with less work than eight of them a thread smaller ones, to share it evenly; a
/// single block is done about when a second thread would have woken up.
std::size_t rows_per_block(std::size_t rows, std::size_t vocab) {
  constexpr std::size_t kMost = std::size_t{1} << 17;
  constexpr std::size_t kLeast = std::size_t{1} << 15;
  if (rows * vocab <= kMost) return rows;
  const std::size_t share = rows * vocab / (8 * threads());
  return std::max<std::size_t>(1, std::clamp(share, kLeast, kMost) / vocab);
}

/// The fused walk writes one row while it reads the next, so a block should have several; yet every thread should
/// get a few blocks, and a block should end within some milliseconds.
std::size_t fused_rows_per_block(std::size_t rows, std::size_t vocab) {
  constexpr std::size_t kRows = 16;
  const std::size_t share = std::min(kRows, rows / (4 * threads()));
  return std::max(rows_per_block(rows, vocab), share);
}

/// Runs a table's function over all rows of a call, `rows_per_block` at a time.
template <typename Params>
Status run_blocks(const OpCall& call, const Params& params, std::size_t rows_per_block,
                  Status (*rows)(const Params&, std::size_t, std::size_t)) {
  return for_rows(call.rows, rows_per_block, call.cancellation,
                  [&](std::size_t begin, std::size_t end) {
                    const KernelFloatingPoint scope;
                    return rows(params, begin, end);
                  });
}

template <typename Params>
Status run_rows(const OpCall& call, const Params& params, std::size_t vocab,
                Status (*rows)(const Params&, std::size_t, std::size_t)) {
  return run_blocks(call, params, rows_per_block(call.rows, vocab), rows);
}

/// After a failure no half-written gradient is left: zeros, except in place, where the logits were given up. `mask` is
/// given where the rows that it leaves out hold zeros already.
void clear_gradient(const TensorView& grad, const TensorView& logits, const std::int32_t* mask) {
  if (!grad.present() || grad.data == logits.data) return;
  const std::size_t row_bytes = grad.columns * size_of(grad.dtype);
  for (std::size_t row = 0; row < grad.rows; ++row) {
    if (!counts(mask, row)) continue;
    std::memset(static_cast<char*>(grad.data) + row * grad.row_pitch * size_of(grad.dtype), 0,
                row_bytes);
  }
}

Status token_stats_kernel(const OpCall& call) {
  return run_rows(call, token_stats::bind(call), call.vocab, table_of(active).token_stats);
}

Status token_stats_partial_kernel(const OpCall& call) {
  return run_rows(call, token_stats_partial::bind(call), call.vocab,
                  table_of(active).token_stats_partial);
}

Status token_stats_grad_kernel(const OpCall& call) {
  const token_stats_grad::Params params = token_stats_grad::bind(call);
  Status status = run_rows(call, params, call.vocab, table_of(active).token_stats_grad);
  if (!status.ok() && !params.accumulate) {
    const std::int32_t* mask = params.grads_zeroed ? params.mask : nullptr;
    clear_gradient(params.grad_logits, params.logits, mask);
    clear_gradient(params.grad_masked_logits, params.masked_logits, mask);
  }
  return status;
}

Status papo_loss_kernel(const OpCall& call) {
  const papo_loss::Params params = papo_loss::bind(call);
  Status status = run_blocks(call, params, fused_rows_per_block(call.rows, call.vocab),
                             table_of(active).papo_loss);
  if (!status.ok()) {
    const std::int32_t* mask = params.grads_zeroed ? params.mask : nullptr;
    clear_gradient(params.grad_logits, params.logits, mask);
    clear_gradient(params.grad_masked_logits, params.masked_logits, mask);
  }
  return status;
}

/// Of an op that has only [rows] data: about as many logits' worth of work.
constexpr std::size_t kCostOfARow = 256;

Status token_stats_merge_kernel(const OpCall& call) {
  return run_rows(call, token_stats_merge::bind(call), kCostOfARow,
                  table_of(active).token_stats_merge);
}

Status token_stats_finish_kernel(const OpCall& call) {
  return run_rows(call, token_stats_finish::bind(call), kCostOfARow,
                  table_of(active).token_stats_finish);
}

Status token_objective_kernel(const OpCall& call) {
  return run_rows(call, token_objective_op::bind(call), kCostOfARow,
                  table_of(active).token_objective);
}

}  // namespace

Isa active_isa() { return active; }

const IsaTable& table_of(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::avx2:
      return kAvx2Table;
    case Isa::avx512:
      return kAvx512Table;
    case Isa::avx512_bf16:
      return kAvx512Bf16Table;
#endif
#if defined(__aarch64__)
    case Isa::neon:
      return kNeonTable;
#endif
    default:
      return kScalarTable;
  }
}

Status register_cpu_kernels(Registry& registry) {
  Isa isa = Isa::scalar;
  Status status = choose_isa(isa);
  if (!status.ok()) return status;
  std::call_once(chosen, [isa] { active = isa; });
  registry.add_kernel("token_stats", DeviceKind::cpu, token_stats_kernel);
  registry.add_kernel("token_stats_partial", DeviceKind::cpu, token_stats_partial_kernel);
  registry.add_kernel("token_stats_merge", DeviceKind::cpu, token_stats_merge_kernel);
  registry.add_kernel("token_stats_finish", DeviceKind::cpu, token_stats_finish_kernel);
  registry.add_kernel("token_stats_grad", DeviceKind::cpu, token_stats_grad_kernel);
  registry.add_kernel("token_objective", DeviceKind::cpu, token_objective_kernel);
  registry.add_kernel("papo_loss", DeviceKind::cpu, papo_loss_kernel);
  return {};
}

}  // namespace papo::cpu
