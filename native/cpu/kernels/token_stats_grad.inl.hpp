// token_stats_grad on the CPU: rows [begin, end), one walk up the vocabulary each.

/// Whether the gradient of the policy's own logits needs the other policy's row at all.
inline bool uses_other_row(const RowGradient& gradient) {
  return gradient.p_cross != 0 || gradient.p_other != 0;
}

template <typename T, typename G>
inline Status token_stats_grad_rows(const token_stats_grad::Params& params, std::size_t begin,
                                    std::size_t end) {
  const float inverse_temperature = params.inverse_temperature();
  const double scale = params.grad_scale * static_cast<double>(inverse_temperature);
  const bool has_masked = params.masked_logits.present();
  const Store store = params.accumulate ? Store::add
                                        : store_of(params.logits, params.masked_logits,
                                                   params.grad_logits, params.grad_masked_logits);
  const bool left = params.accumulate || params.grads_zeroed;
  for (std::size_t row = begin; row < end; ++row) {
    G* grad_p = params.grad_logits.present() ? params.grad_logits.row<G>(row) : nullptr;
    G* grad_q =
        params.grad_masked_logits.present() ? params.grad_masked_logits.row<G>(row) : nullptr;
    if (!counts(params.mask, row)) {
      clear_row(grad_p, params.vocab, left);
      clear_row(grad_q, params.vocab, left);
      continue;
    }
    if (grad_p == nullptr && grad_q == nullptr) continue;
    const TokenStatistics statistics = load_statistics(params.statistics, params.rows, row);
    const auto reference_p = static_cast<float>(statistics.log_sum_exp);
    const auto reference_q = static_cast<float>(statistics.masked_log_sum_exp);
    const RowGradient gradient =
        row_gradient(statistics, load_cotangents(params.cotangents, params.rows, row), reference_p,
                     reference_q, scale, has_masked);
    const bool masked = has_masked && (grad_q != nullptr || uses_other_row(gradient));
    const GradientRow<T, G> row_logits = {params.logits.row<T>(row),
                                          masked ? params.masked_logits.row<T>(row) : nullptr,
                                          grad_p,
                                          grad_q,
                                          params.vocab,
                                          params.shard.column_of(params.token_ids[row])};
    const GradientWalk<T, G> walk(row_logits, inverse_temperature, reference_p, reference_q,
                                  gradient, store);
    for (std::size_t i = 0; i < walk.blocks().size(); ++i) {
      const Block<T> block = walk.blocks()[i];
      walk.write_block(block, needs_care(block.p, block.count, inverse_temperature, reference_p) ||
                                  (masked && needs_care(block.q, block.count, inverse_temperature,
                                                        reference_q)));
    }
    walk.finish();
  }
  return {};
}

/// Calls `f(T, G)` with the types of the logits and of their gradients: the same, or float32.
template <typename F>
inline Status dispatch_gradients(const TensorView& logits, const TensorView& grad_logits,
                                 const TensorView& grad_masked_logits, F&& f) {
  const TensorView& grad = grad_logits.present() ? grad_logits : grad_masked_logits;
  return dispatch_logits(logits.dtype, [&](auto tag) {
    using T = decltype(tag);
    return grad.present() && grad.dtype == DType::float32 ? f(T{}, float{}) : f(T{}, T{});
  });
}

inline Status token_stats_grad(const token_stats_grad::Params& params, std::size_t begin,
                               std::size_t end) {
  return dispatch_gradients(
      params.logits, params.grad_logits, params.grad_masked_logits, [&](auto t, auto g) {
        return token_stats_grad_rows<decltype(t), decltype(g)>(params, begin, end);
      });
}
