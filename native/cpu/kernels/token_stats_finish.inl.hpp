// token_stats_finish on the CPU: rows [begin, end) of float64 arithmetic, no vocabulary in sight.

inline Status token_stats_finish(const token_stats_finish::Params& params, std::size_t begin,
                                 std::size_t end) {
  const auto inverse_temperature = static_cast<float>(1 / params.temperature);
  for (std::size_t row = begin; row < end; ++row) {
    TokenStatistics statistics;
    bool invalid = false;
    if (counts(params.mask, row)) {
      const RowState state = load_state(params.states, params.rows, row);
      invalid = !usable(state, params.has_masked);
      if (invalid && !params.skip_invalid) return unusable_row("tokenStatsFinish", state, row);
      if (!invalid) statistics = finish(state, params.has_masked, inverse_temperature);
    }
    store_statistics(statistics, params.statistics, params.rows, row);
    if (params.invalid != nullptr) params.invalid[row] = invalid ? 1 : 0;
  }
  return {};
}
