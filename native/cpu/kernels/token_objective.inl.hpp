// token_objective on the CPU: rows [begin, end) of float64 arithmetic, no vocabulary in sight.

/// The masked policy gives no mass where the policy has some (or the reverse), and nothing bounds the term.
inline Status infinite_kl(const char* where, std::size_t row) {
  return expected(Code::not_finite, where,
                  "exactKlLimit to be set where an exact KL enters the loss",
                  "an infinite KL at row " + std::to_string(row) + " and no limit",
                  static_cast<std::int64_t>(row));
}

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
