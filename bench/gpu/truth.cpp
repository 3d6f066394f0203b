#include "truth.hpp"

#include <algorithm>
#include <cmath>

namespace papo::gpu {
namespace {

struct Softmax {
  std::vector<double> log;  ///< log-probability of each column
  double log_sum_exp = 0;
  double entropy = 0;
};

Softmax log_softmax(const TensorView& logits, std::size_t row, double inverse) {
  Softmax result;
  result.log.resize(logits.columns);
  double highest = -INFINITY;
  for (std::size_t v = 0; v < logits.columns; ++v) {
    result.log[v] = static_cast<double>(element(logits, row, v)) * inverse;
    highest = std::fmax(highest, result.log[v]);
  }
  double total = 0;
  for (const double z : result.log) total += std::exp(z - highest);
  result.log_sum_exp = highest + std::log(total);
  for (double& z : result.log) {
    z -= result.log_sum_exp;
    const double probability = std::exp(z);
    if (probability > 0) result.entropy -= probability * z;
  }
  return result;
}

/// KL(a || b), from terms that are small where both agree: a (e^-r - 1 + r) with r = log a - log b.
/// (Their sum is the KL since both distributions sum to 1; columns that a holds impossible give b.)
double divergence(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t v = 0; v < a.size(); ++v) {
    const double probability = std::exp(a[v]);
    if (a[v] == -INFINITY || b[v] == -INFINITY) {
      if (probability > 0 && b[v] == -INFINITY) return INFINITY;
      sum += std::exp(b[v]);
      continue;
    }
    const double r = a[v] - b[v];
    sum += r > -30 ? probability * (std::expm1(-r) + r)
                   : std::exp(b[v]) - probability + probability * r;
  }
  return std::fmax(0.0, sum);
}

double finite_or_zero(double value) { return std::isfinite(value) ? value : 0; }

/// 0 times an infinite statistic is 0: a cotangent of 0 means that it was not used.
double times(double cotangent, double value) { return cotangent == 0 ? 0 : cotangent * value; }

}  // namespace

RowTruth::RowTruth(const Batch& batch, std::size_t row)
    : row_(row),
      id_(static_cast<std::size_t>(batch.token_ids[row])),
      inverse_(batch.spec.vocab == 1 ? 1 : 1 / batch.spec.temperature) {
  Softmax p = log_softmax(batch.logits.view(), row, inverse_);
  plain_.log_prob = p.log[id_];
  plain_.entropy = p.entropy;
  plain_.log_sum_exp = p.log_sum_exp;
  log_p_ = std::move(p.log);
  if (batch.masked_logits.present()) {
    Softmax q = log_softmax(batch.masked_logits.view(), row, inverse_);
    plain_.masked_log_prob = q.log[id_];
    plain_.masked_entropy = q.entropy;
    plain_.masked_log_sum_exp = q.log_sum_exp;
    log_q_ = std::move(q.log);
    plain_.kl = divergence(log_p_, log_q_);
    plain_.reverse_kl = divergence(log_q_, log_p_);
  }
  statistics_ = plain_;
  if (!batch.masked_log_probs.empty()) statistics_.masked_log_prob = batch.masked_log_probs[row];
}

RowTruth::Gradient RowTruth::gradient(const TokenCotangents& c) const {
  const std::size_t vocab = log_p_.size();
  const bool masked = !log_q_.empty();
  Gradient result;
  result.p.resize(vocab);
  if (masked) result.q.resize(vocab);
  for (std::size_t v = 0; v < vocab; ++v) {
    const double chosen = v == id_ ? 1 : 0;
    const double p = std::exp(log_p_[v]);
    const double surprise_p = finite_or_zero(log_p_[v]) + statistics_.entropy;
    result.p[v] = c.log_prob * (chosen - p) - times(c.entropy, p * surprise_p);
    if (masked) {
      const double q = std::exp(log_q_[v]);
      const double r = finite_or_zero(log_p_[v] - log_q_[v]);
      result.p[v] += times(c.kl, p * (r - finite_or_zero(statistics_.kl))) + c.reverse_kl * (p - q);
      const double surprise_q = finite_or_zero(log_q_[v]) + statistics_.masked_entropy;
      result.q[v] = c.masked_log_prob * (chosen - q) - times(c.masked_entropy, q * surprise_q) +
                    c.kl * (q - p) +
                    times(c.reverse_kl, q * (-r - finite_or_zero(statistics_.reverse_kl)));
      result.q[v] *= inverse_;
      result.largest_q = std::fmax(result.largest_q, std::fabs(result.q[v]));
    }
    result.p[v] *= inverse_;
    result.largest_p = std::fmax(result.largest_p, std::fabs(result.p[v]));
  }
  return result;
}

std::vector<std::size_t> sampled_rows(const Batch& batch, std::size_t most) {
  std::vector<std::size_t> counted;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    if (batch.counts(row)) counted.push_back(row);
  }
  const std::size_t count = std::min(most, counted.size());
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < count; ++i) {
    rows.push_back(counted[count == 1 ? 0 : i * (counted.size() - 1) / (count - 1)]);
  }
  return rows;
}

}  // namespace papo::gpu
