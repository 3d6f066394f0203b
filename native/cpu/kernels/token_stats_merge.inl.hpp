// token_stats_merge on the CPU: rows [begin, end) of float64 arithmetic, no vocabulary in sight.

inline Status token_stats_merge(const token_stats_merge::Params& params, std::size_t begin,
                                std::size_t end) {
  for (std::size_t row = begin; row < end; ++row) {
    RowState state = load_state(params.states, params.rows, row);
    merge(state, load_state(params.other_states, params.rows, row));
    store_state(state, params.merged_states, params.rows, row);
  }
  return {};
}
