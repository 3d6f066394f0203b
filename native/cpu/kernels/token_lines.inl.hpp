// The [k, rows] matrices of float64 that ops exchange: one token's column in and out, in the order of the specs.

inline void store_statistics(const TokenStatistics& statistics, double* lines, std::size_t rows,
                             std::size_t row) {
  const double values[kStatisticCount] = {statistics.log_prob,    statistics.masked_log_prob,
                                          statistics.entropy,     statistics.masked_entropy,
                                          statistics.kl,          statistics.reverse_kl,
                                          statistics.log_sum_exp, statistics.masked_log_sum_exp};
  for (std::size_t line = 0; line < kStatisticCount; ++line)
    lines[line * rows + row] = values[line];
}

inline TokenStatistics load_statistics(const double* lines, std::size_t rows, std::size_t row) {
  const auto line = [&](std::size_t index) { return lines[index * rows + row]; };
  return {line(0), line(1), line(2), line(3), line(4), line(5), line(6), line(7)};
}

inline void store_cotangents(const TokenCotangents& cotangents, double* lines, std::size_t rows,
                             std::size_t row) {
  const double values[kCotangentCount] = {cotangents.log_prob, cotangents.masked_log_prob,
                                          cotangents.entropy,  cotangents.masked_entropy,
                                          cotangents.kl,       cotangents.reverse_kl};
  for (std::size_t line = 0; line < kCotangentCount; ++line)
    lines[line * rows + row] = values[line];
}

inline TokenCotangents load_cotangents(const double* lines, std::size_t rows, std::size_t row) {
  const auto line = [&](std::size_t index) { return lines[index * rows + row]; };
  return {line(0), line(1), line(2), line(3), line(4), line(5)};
}

inline void store_terms(const TokenTerms& terms, double* lines, std::size_t rows, std::size_t row) {
  const double values[kTermCount] = {terms.surrogate,      terms.ref_kl,
                                     terms.perception_kl,  terms.entropy,
                                     terms.masked_entropy, terms.ratio,
                                     terms.clip,           terms.grad_surrogate,
                                     terms.grad_ref_kl,    terms.grad_perception_kl,
                                     terms.grad_entropy,   terms.grad_masked_entropy};
  for (std::size_t line = 0; line < kTermCount; ++line) lines[line * rows + row] = values[line];
}
