#include "row_truth.hpp"

#include <algorithm>

namespace papo::cuda {
namespace {

std::vector<double> log_softmax(const float* logits, std::size_t vocab, double temperature,
                                double& log_sum_exp) {
  const double highest =
      static_cast<double>(*std::max_element(logits, logits + vocab)) / temperature;
  double total = 0;
  std::vector<double> result;
  for (std::size_t v = 0; v < vocab; ++v) {
    result.push_back(static_cast<double>(logits[v]) / temperature - highest);
    total += std::exp(result[v]);
  }
  for (double& x : result) x -= std::log(total);
  log_sum_exp = highest + std::log(total);
  return result;
}

}  // namespace

RowTruth truth_of(const Rows& rows, std::size_t row, const TokenCotangents& c) {
  const std::size_t vocab = rows.vocab;
  const auto id = static_cast<std::size_t>(rows.ids[row]);
  // The factor is float32 on purpose: the engines agree on it to the bit.
  const double temperature = 1 / static_cast<double>(rows.inverse_temperature());
  RowTruth truth;
  TokenStatistics& s = truth.statistics;
  const std::vector<double> log_p = log_softmax(rows.row_p(row), vocab, temperature, s.log_sum_exp);
  const std::vector<double> log_q =
      rows.masked ? log_softmax(rows.row_q(row), vocab, temperature, s.masked_log_sum_exp) : log_p;
  s.log_prob = log_p[id];
  const auto r = [&](std::size_t v) {
    const double difference = log_p[v] - log_q[v];
    return std::isnan(difference) ? 0 : difference;
  };
  for (std::size_t v = 0; v < vocab; ++v) {
    const double p = std::exp(log_p[v]), q = std::exp(log_q[v]);
    if (p > 0) s.entropy -= p * log_p[v];
    if (!rows.masked) continue;
    if (q > 0) s.masked_entropy -= q * log_q[v];
    if (p > 0) s.kl += p * (std::expm1(-r(v)) + r(v));
    if (p == 0) s.kl += q;
    if (q > 0) s.reverse_kl += q * (std::expm1(r(v)) - r(v));
    if (q == 0) s.reverse_kl += p;
  }
  if (rows.masked) s.masked_log_prob = log_q[id];
  for (std::size_t v = 0; v < vocab; ++v) {
    const double p = std::exp(log_p[v]), q = std::exp(log_q[v]), one = v == id ? 1 : 0;
    const double a = p > 0 ? log_p[v] : 0, b = q > 0 ? log_q[v] : 0;
    const double kl_p = c.kl == 0 ? 0 : c.kl * p * (r(v) - s.kl);
    const double kl_q = c.reverse_kl == 0 ? 0 : c.reverse_kl * q * (-r(v) - s.reverse_kl);
    truth.grad_p.push_back((c.log_prob * (one - p) - c.entropy * p * (a + s.entropy) +
                            (rows.masked ? kl_p + c.reverse_kl * (p - q) : 0)) /
                           temperature);
    truth.grad_q.push_back((c.masked_log_prob * (one - q) -
                            c.masked_entropy * q * (b + s.masked_entropy) + c.kl * (q - p) + kl_q) /
                           temperature);
  }
  return truth;
}

void Errors::add(double& which, double got, double want, double scale) {
  const double error = got == want ? 0 : std::fabs(got - want) / scale;
  which = std::fmax(which, std::isnan(error) ? static_cast<double>(INFINITY) : error);
}

void Errors::add_statistics(const Statistics& got, std::size_t row, const TokenStatistics& want,
                            bool masked) {
  add(log_prob, got.at(0, row), want.log_prob);
  add(entropy, got.at(2, row), want.entropy);
  add(log_sum_exp, got.at(6, row), want.log_sum_exp, std::fmax(1, std::fabs(want.log_sum_exp)));
  if (!masked) return;
  add(log_prob, got.at(1, row), want.masked_log_prob);
  add(entropy, got.at(3, row), want.masked_entropy);
  add(kl, got.at(4, row), want.kl, std::fmax(1, want.kl));
  add(kl, got.at(5, row), want.reverse_kl, std::fmax(1, want.reverse_kl));
  if (want.kl > 0 && want.kl < 0.9e-3 && want.reverse_kl < 0.9e-3) {
    add(relative_kl, got.at(4, row), want.kl, want.kl);
    add(relative_kl, got.at(5, row), want.reverse_kl, want.reverse_kl);
  }
}

void Errors::add_gradients(const std::vector<float>& got, std::size_t row,
                           const std::vector<double>& want, double scale, double rounding,
                           double least) {
  double largest = least;
  for (const double x : want) largest = std::fmax(largest, std::fabs(x * scale));
  for (std::size_t v = 0; v < want.size(); ++v) {
    const double wanted = want[v] * scale;
    const double error = std::fabs(static_cast<double>(got[row * want.size() + v]) - wanted) -
                         std::fabs(wanted) * rounding;
    grad = std::fmax(grad, std::isnan(error) ? static_cast<double>(INFINITY) : error / largest);
  }
}

double rounding_of(DType dtype) {
  return dtype == DType::float32 ? 0 : dtype == DType::bfloat16 ? 0x1p-8 : 0x1p-11;
}

}  // namespace papo::cuda
