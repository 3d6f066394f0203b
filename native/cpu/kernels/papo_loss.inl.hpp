// papo_loss on the CPU: rows [begin, end), each walked down for its statistics and at once, while it is near, up
// again for its gradients.
//
// Traffic per row pair from memory: both logits once, both gradients once; the second read comes from the caches.

template <typename T, typename G, bool kMasked, bool kGradients>
inline Status papo_loss_rows(const papo_loss::Params& params, std::size_t begin, std::size_t end) {
  const float inverse_temperature = inverse_of(params.temperature, params.vocab);
  const double scale = params.grad_scale * static_cast<double>(inverse_temperature);
  const bool has_masked = kMasked || params.masked_log_probs != nullptr;
  for (std::size_t row = begin; row < end; ++row) {
    G* grad_p = params.grad_logits.present() ? params.grad_logits.row<G>(row) : nullptr;
    G* grad_q =
        params.grad_masked_logits.present() ? params.grad_masked_logits.row<G>(row) : nullptr;
    if (!counts(params.mask, row)) {
      store_statistics({}, params.statistics, params.rows, row);
      store_terms({}, params.terms, params.rows, row);
      clear_row(grad_p, params.vocab, false);
      clear_row(grad_q, params.vocab, false);
      continue;
    }
    const T* p = params.logits.row<T>(row);
    const T* q = kMasked ? params.masked_logits.row<T>(row) : nullptr;
    const auto id = static_cast<std::size_t>(params.token_ids[row]);
    RowWalk walk = row_statistics<T, kMasked>(p, q, params.vocab, inverse_temperature);
    RowState& state = walk.state;
    if (!usable(state, kMasked)) return unusable_row("papoLoss", state, row);
    TokenStatistics statistics =
        token_statistics<T, kMasked>(p, q, params.vocab, id, inverse_temperature, state);
    if (params.masked_log_probs != nullptr)
      statistics.masked_log_prob = params.masked_log_probs[row];

    const TokenObjective objective =
        token_objective(params.objective, statistics, params.data.at(row, has_masked));
    if (!objective.finite) return infinite_kl("papoLoss", row);
    store_statistics(statistics, params.statistics, params.rows, row);
    store_terms(objective.terms, params.terms, params.rows, row);

    if constexpr (kGradients) {
      const RowGradient gradient = row_gradient(statistics, objective.cotangents, state.reference_p,
                                                state.reference_q, scale, kMasked);
      const bool masked = kMasked && (grad_q != nullptr || uses_other_row(gradient));
      if (!masked && grad_p == nullptr) continue;
      row_gradients(GradientRow<T, G>{p, masked ? q : nullptr, grad_p, grad_q, params.vocab, id},
                    inverse_temperature, state.reference_p, state.reference_q, gradient,
                    Store::plain, [&](const T*, const T*, std::size_t count, std::size_t offset) {
                      return walk.careful.meets(offset, offset + count);
                    });
    }
  }
  return {};
}

inline Status papo_loss(const papo_loss::Params& params, std::size_t begin, std::size_t end) {
  const bool masked = params.masked_logits.present();
  const bool gradients = params.grad_logits.present() || params.grad_masked_logits.present();
  return dispatch_gradients(
      params.logits, params.grad_logits, params.grad_masked_logits, [&](auto t, auto g) {
        using T = decltype(t);
        using G = decltype(g);
        if (!gradients) {
          return masked ? papo_loss_rows<T, T, true, false>(params, begin, end)
                        : papo_loss_rows<T, T, false, false>(params, begin, end);
        }
        return masked ? papo_loss_rows<T, G, true, true>(params, begin, end)
                      : papo_loss_rows<T, G, false, true>(params, begin, end);
      });
}
