// token_objective on the CPU: rows [begin, end) of float64 arithmetic, no vocabulary in sight.

inline Status token_objective_rows(const token_objective_op::Params& params, std::size_t begin,
                                   std::size_t end) {
  for (std::size_t row = begin; row < end; ++row) {
    TokenObjective objective;
    if (counts(params.mask, row)) {
      objective =
          token_objective(params.objective, load_statistics(params.statistics, params.rows, row),
                          params.data.at(row, params.has_masked));
      if (!objective.finite) return infinite_kl("tokenObjective", row);
    }
    store_terms(objective.terms, params.terms, params.rows, row);
    if (params.cotangents != nullptr) {
      store_cotangents(objective.cotangents, params.cotangents, params.rows, row);
    }
  }
  return {};
}
