// token_stats_partial on the CPU: rows [begin, end), one walk down the shard's columns each.

template <typename T, bool kMasked>
inline Status token_stats_partial_rows(const token_stats_partial::Params& params, std::size_t begin,
                                       std::size_t end) {
  const float inverse_temperature = params.inverse_temperature();
  for (std::size_t row = begin; row < end; ++row) {
    RowState state;
    if (counts(params.mask, row)) {
      const T* p = params.logits.row<T>(row);
      const T* q = kMasked ? params.masked_logits.row<T>(row) : nullptr;
      const std::size_t id = params.shard.column_of(params.token_ids[row]);
      state = row_statistics<T, kMasked>(p, q, params.vocab, id, inverse_temperature);
      if (id < params.vocab) {
        state.chosen_p = to_float(p[id]);
        if constexpr (kMasked) state.chosen_q = to_float(q[id]);
      }
    }
    store_state(state, params.states, params.rows, row);
  }
  return {};
}

inline Status token_stats_partial(const token_stats_partial::Params& params, std::size_t begin,
                                  std::size_t end) {
  return dispatch_logits(params.logits.dtype, [&](auto tag) {
    using T = decltype(tag);
    return params.masked_logits.present() ? token_stats_partial_rows<T, true>(params, begin, end)
                                          : token_stats_partial_rows<T, false>(params, begin, end);
  });
}
