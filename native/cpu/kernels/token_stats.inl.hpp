// token_stats on the CPU: rows [begin, end), one walk down the vocabulary each.

template <typename T, bool kMasked>
inline Status token_stats_rows(const token_stats::Params& params, std::size_t begin,
                               std::size_t end) {
  const float inverse_temperature = inverse_of(params.temperature, params.vocab);
  for (std::size_t row = begin; row < end; ++row) {
    TokenStatistics statistics;
    bool invalid = false;
    if (counts(params.mask, row)) {
      const T* p = params.logits.row<T>(row);
      const T* q = kMasked ? params.masked_logits.row<T>(row) : nullptr;
      const auto id = static_cast<std::size_t>(params.token_ids[row]);
      RowState state = row_statistics<T, kMasked>(p, q, params.vocab, id, inverse_temperature);
      invalid = !usable(state, kMasked);
      if (invalid && !params.skip_invalid) return unusable_row("tokenStats", state, row);
      if (!invalid) {
        statistics =
            token_statistics<T, kMasked>(p, q, params.vocab, id, inverse_temperature, state);
      }
    }
    store_statistics(statistics, params.statistics, params.rows, row);
    if (params.invalid != nullptr) params.invalid[row] = invalid ? 1 : 0;
  }
  return {};
}

inline Status token_stats(const token_stats::Params& params, std::size_t begin, std::size_t end) {
  return dispatch_logits(params.logits.dtype, [&](auto tag) {
    using T = decltype(tag);
    return params.masked_logits.present() ? token_stats_rows<T, true>(params, begin, end)
                                          : token_stats_rows<T, false>(params, begin, end);
  });
}
