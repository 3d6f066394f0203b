// All CPU kernels over the lane type `Vec` of the surrounding namespace, and the row of its table.

#include "cpu/kernels/row_blocks.inl.hpp"
#include "cpu/kernels/pairs.inl.hpp"
#include "cpu/kernels/block_statistics.inl.hpp"
#include "cpu/kernels/row_divergence.inl.hpp"
#include "cpu/kernels/chosen_token.inl.hpp"
#include "cpu/kernels/row_statistics.inl.hpp"
#include "cpu/kernels/block_gradient.inl.hpp"
#include "cpu/kernels/row_gradient.inl.hpp"
#include "cpu/kernels/token_stats.inl.hpp"
#include "cpu/kernels/token_stats_partial.inl.hpp"
#include "cpu/kernels/token_stats_merge.inl.hpp"
#include "cpu/kernels/token_stats_finish.inl.hpp"
#include "cpu/kernels/token_stats_grad.inl.hpp"
#include "cpu/kernels/token_objective.inl.hpp"
#include "cpu/kernels/papo_loss.inl.hpp"

inline void exp_of(const float* t, float* result, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    float lanes[Vec::kWidth];
    for (float& value : lanes) value = t[i];
    exp_limited(Vec::load(lanes)).store(lanes);
    result[i] = lanes[0];
  }
}

inline constexpr IsaTable kTable = {
    token_stats,      token_stats_partial,  token_stats_merge, token_stats_finish,
    token_stats_grad, token_objective_rows, papo_loss,         exp_of};
