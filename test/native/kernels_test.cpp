// The kernels of every instruction set against a float64 loop: ends of rows, pitches, dtypes, extremes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "core/half.hpp"
#include "cpu/backend.hpp"
#include "core/floating_point.hpp"

using namespace papo;

namespace {

const float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Truth {
  double log_prob, entropy, kl, reverse_kl, masked_log_prob, masked_entropy;
  std::vector<double> grad_p, grad_q;
};

/// Straight from the definitions, in float64; columns where both are -Infinity contribute nothing.
Truth truth_of(const std::vector<float>& p_logits, const std::vector<float>& q_logits,
               std::size_t id, double temperature, const TokenCotangents& c) {
  const std::size_t vocab = p_logits.size();
  const auto log_softmax = [&](const std::vector<float>& logits) {
    const double highest = *std::max_element(logits.begin(), logits.end()) / temperature;
    double total = 0;
    for (const float x : logits) total += std::exp(static_cast<double>(x) / temperature - highest);
    std::vector<double> result;
    for (const float x : logits) {
      result.push_back(static_cast<double>(x) / temperature - highest - std::log(total));
    }
    return result;
  };
  const std::vector<double> log_p = log_softmax(p_logits);
  const std::vector<double> log_q = log_softmax(q_logits);
  Truth t = {log_p[id], 0, 0, 0, log_q[id], 0, {}, {}};
  const auto r = [&](std::size_t v) {
    const double difference = log_p[v] - log_q[v];
    return std::isnan(difference) ? 0 : difference;
  };
  for (std::size_t v = 0; v < vocab; ++v) {
    const double p = std::exp(log_p[v]), q = std::exp(log_q[v]);
    if (p > 0) t.entropy -= p * log_p[v];
    if (q > 0) t.masked_entropy -= q * log_q[v];
    if (p > 0) t.kl += p * r(v);
    if (q > 0) t.reverse_kl -= q * r(v);
  }
  for (std::size_t v = 0; v < vocab; ++v) {
    const double p = std::exp(log_p[v]), q = std::exp(log_q[v]), one = v == id ? 1 : 0;
    const double a = p > 0 ? log_p[v] : 0, b = q > 0 ? log_q[v] : 0;
    t.grad_p.push_back((c.log_prob * (one - p) - c.entropy * p * (a + t.entropy) +
                        c.kl * p * (r(v) - t.kl) + c.reverse_kl * (p - q)) /
                       temperature);
    t.grad_q.push_back((c.masked_log_prob * (one - q) -
                        c.masked_entropy * q * (b + t.masked_entropy) + c.kl * (q - p) +
                        c.reverse_kl * q * (-r(v) - t.reverse_kl)) /
                       temperature);
  }
  return t;
}

/// One row pair in memory, as its dtype stores it, at a pitch whose padding is NaN.
template <typename T>
struct Row {
  std::vector<T> memory;
  std::vector<float> values;  // what the dtype kept
  TensorView view;

  Row(const std::vector<float>& logits, DType dtype, std::size_t padding) {
    for (const float x : logits) {
      T stored{};
      from_float(x, stored);
      memory.push_back(stored);
      values.push_back(to_float(stored));
    }
    for (std::size_t i = 0; i < padding; ++i) {
      T stored{};
      from_float(kNaN, stored);
      memory.push_back(stored);
    }
    view = {memory.data(), 1, logits.size(), logits.size() + padding, dtype, {}};
  }
};

struct Errors {
  double log_prob = 0, entropy = 0, kl = 0, grad = 0;
  void add(double& which, double got, double want, double scale = 1) {
    const double error = got == want ? 0 : std::fabs(got - want) / scale;
    which = std::fmax(which, std::isnan(error) ? INFINITY : error);
  }
};

/// Runs statistics and gradients of one row pair on one instruction set and compares with the truth.
template <typename T>
Errors errors_of(const cpu::IsaTable& table, const std::vector<float>& p,
                 const std::vector<float>& q, DType dtype, double temperature,
                 double grad_rounding) {
  const KernelFloatingPoint scope;
  const std::size_t vocab = p.size(), padding = 3;
  const Row<T> row_p(p, dtype, padding), row_q(q, dtype, padding);
  std::size_t chosen = vocab / 2;
  while (row_p.values[chosen] == -kInf || row_q.values[chosen] == -kInf)
    chosen = (chosen + 1) % vocab;
  const auto id = static_cast<std::int32_t>(chosen);
  const TokenCotangents c = {-0.7, 0.4, 0.2, -0.3, 0.6, 0.5};
  double statistics[kStatisticCount];
  Status status = table.token_stats(
      {1, vocab, row_p.view, row_q.view, &id, nullptr, statistics, nullptr, temperature, false}, 0,
      1);
  REQUIRE(status.ok());

  std::vector<T> grad_p(vocab + padding), grad_q(vocab + padding);
  T mark{};
  from_float(7, mark);
  std::fill(grad_p.begin(), grad_p.end(), mark);
  std::fill(grad_q.begin(), grad_q.end(), mark);
  const TensorView out_p = {grad_p.data(), 1, vocab, vocab + padding, dtype, {}};
  const TensorView out_q = {grad_q.data(), 1, vocab, vocab + padding, dtype, {}};
  const double cotangents[kCotangentCount] = {
      c.log_prob, c.masked_log_prob, c.entropy, c.masked_entropy, c.kl, c.reverse_kl};
  status = table.token_stats_grad({1,
                                   vocab,
                                   row_p.view,
                                   row_q.view,
                                   out_p,
                                   out_q,
                                   &id,
                                   nullptr,
                                   statistics,
                                   cotangents,
                                   temperature,
                                   1.0,
                                   false,
                                   {0, vocab}},
                                  0, 1);
  REQUIRE(status.ok());

  const Truth truth = truth_of(row_p.values, row_q.values, chosen, temperature, c);
  Errors errors;
  errors.add(errors.log_prob, statistics[0], truth.log_prob);
  errors.add(errors.log_prob, statistics[1], truth.masked_log_prob);
  errors.add(errors.entropy, statistics[2], truth.entropy);
  errors.add(errors.entropy, statistics[3], truth.masked_entropy);
  errors.add(errors.kl, statistics[4], truth.kl, std::fmax(1, truth.kl));
  errors.add(errors.kl, statistics[5], truth.reverse_kl, std::fmax(1, truth.reverse_kl));
  double scale = 1e-30;
  for (std::size_t v = 0; v < vocab; ++v) {
    scale = std::fmax(scale, std::fmax(std::fabs(truth.grad_p[v]), std::fabs(truth.grad_q[v])));
  }
  for (std::size_t v = 0; v < vocab; ++v) {
    for (const auto& [grad, want] :
         {std::pair{&grad_p, &truth.grad_p}, std::pair{&grad_q, &truth.grad_q}}) {
      const double rounding = std::fabs((*want)[v]) * grad_rounding;
      const double error =
          std::fabs(static_cast<double>(to_float((*grad)[v])) - (*want)[v]) - rounding;
      errors.grad = std::fmax(errors.grad, std::isnan(error) ? INFINITY : error / scale);
    }
  }
  for (std::size_t v = vocab; v < vocab + padding; ++v) {
    CHECK(to_float(grad_p[v]) == 7);
    CHECK(to_float(grad_q[v]) == 7);
  }
  return errors;
}

std::vector<float> normal_row(std::size_t vocab, float sigma, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, sigma);
  std::vector<float> row(vocab);
  for (float& x : row) x = normal(random);
  return row;
}

void check_all(const std::string& name, const std::vector<float>& p, const std::vector<float>& q) {
  for (const cpu::Isa isa : cpu::available_isas()) {
    const cpu::IsaTable& table = cpu::table_of(isa);
    for (const double temperature : {1.0, 0.7}) {
      const Errors errors[] = {
          errors_of<float>(table, p, q, DType::float32, temperature, 0),
          errors_of<BFloat16>(table, p, q, DType::bfloat16, temperature, 0x1p-8),
          errors_of<Float16>(table, p, q, DType::float16, temperature, 0x1p-11),
      };
      for (const Errors& e : errors) {
        CAPTURE(name);
        CAPTURE(std::string(cpu::name_of(isa)));
        CAPTURE(p.size());
        CAPTURE(temperature);
        // float32 lanes over the vocabulary: see the table of errors in native/math/README.md.
        CHECK(e.log_prob < 4e-6);
        CHECK(e.entropy < 4e-6);
        CHECK(e.kl < 4e-6);
        CHECK(e.grad < 4e-6);
      }
    }
  }
}

}  // namespace

TEST_CASE("every length of a row's end is read and written to the element") {
  for (std::size_t vocab = 2; vocab <= 70; ++vocab) {
    check_all("short", normal_row(vocab, 3, 1), normal_row(vocab, 3, 2));
  }
  for (const std::size_t vocab : {1023, 1024, 1025, 1039, 1041, 2047, 2049, 5003}) {
    check_all("blocks", normal_row(vocab, 3, 3), normal_row(vocab, 3, 4));
  }
}

TEST_CASE("rows that climb, fall, peak, or are all negative keep their digits") {
  std::vector<float> climbing(5000), falling(5000), peaked = normal_row(5000, 1, 5);
  for (std::size_t v = 0; v < 5000; ++v) {
    climbing[v] = static_cast<float>(v) * 0.02F;
    falling[v] = 90 - static_cast<float>(v) * 0.02F;
  }
  peaked[4321] = 60;
  std::vector<float> negative = normal_row(5000, 2, 6);
  for (float& x : negative) x -= 100;
  check_all("climbing", climbing, normal_row(5000, 2, 7));
  check_all("falling", falling, climbing);
  check_all("peaked", peaked, normal_row(5000, 2, 8));
  check_all("negative", negative, negative);
}

TEST_CASE("columns that are -Infinity in both policies count for nothing") {
  std::vector<float> p = normal_row(3000, 2, 9), q = normal_row(3000, 2, 10);
  for (std::size_t v = 0; v < 3000; ++v) {
    if (v < 1100 || v % 7 == 3 || v >= 2990) p[v] = q[v] = -kInf;
  }
  check_all("holes", p, q);
  std::vector<float> lone_p(40, -kInf), lone_q(40, -kInf);
  lone_p[17] = lone_q[17] = 3;
  lone_p[30] = lone_q[30] = 2;
  check_all("two left", lone_p, lone_q);
}

TEST_CASE("near-equal policies keep the relative precision of their KL") {
  for (const float gap : {1e-2F, 1e-3F, 1e-4F, 1e-5F}) {
    std::vector<float> p = normal_row(4000, 3, 11), q = p;
    std::vector<float> noise = normal_row(4000, gap, 12);
    for (std::size_t v = 0; v < q.size(); ++v) q[v] += noise[v];
    const std::int32_t id = 5;
    // The definition itself cancels in float64 at such KLs; this form does not.
    double sum_p = 0, sum_q = 0, kl = 0;
    for (std::size_t v = 0; v < q.size(); ++v) {
      sum_p += std::exp(static_cast<double>(p[v]));
      sum_q += std::exp(static_cast<double>(q[v]));
    }
    for (std::size_t v = 0; v < q.size(); ++v) {
      const double r =
          static_cast<double>(p[v]) - static_cast<double>(q[v]) - std::log(sum_p / sum_q);
      kl += std::exp(static_cast<double>(p[v])) / sum_p * (std::expm1(-r) + r);
    }
    for (const cpu::Isa isa : cpu::available_isas()) {
      double statistics[kStatisticCount];
      const TensorView view_p = {p.data(), 1, p.size(), p.size(), DType::float32, {}};
      const TensorView view_q = {q.data(), 1, q.size(), q.size(), DType::float32, {}};
      REQUIRE(cpu::table_of(isa)
                  .token_stats(
                      {1, p.size(), view_p, view_q, &id, nullptr, statistics, nullptr, 1.0, false},
                      0, 1)
                  .ok());
      CAPTURE(std::string(cpu::name_of(isa)));
      CHECK(statistics[4] == doctest::Approx(kl).epsilon(3e-6));
    }
  }
}

/// Relative errors of 1 - p and 1 - q of the token that `peak` says, as the statistics tell them.
template <typename T>
double rest_error(const cpu::IsaTable& table, const std::vector<float>& p,
                  const std::vector<float>& q, std::size_t peak, DType dtype, double temperature) {
  const KernelFloatingPoint scope;
  const Row<T> row_p(p, dtype, 0), row_q(q, dtype, 0);
  const auto id = static_cast<std::int32_t>(peak);
  double statistics[kStatisticCount];
  const Status status = table.token_stats(
      {1, p.size(), row_p.view, row_q.view, &id, nullptr, statistics, nullptr, temperature, false},
      0, 1);
  REQUIRE(status.ok());
  const auto error = [&](const std::vector<float>& values, double log_prob) {
    double others = 0;
    for (std::size_t v = 0; v < values.size(); ++v) {
      const double above = static_cast<double>(values[v]) - static_cast<double>(values[peak]);
      if (v != peak) others += std::exp(above / temperature);
    }
    return std::fabs(-std::expm1(log_prob) * (1 + others) / others - 1);
  };
  return std::fmax(error(row_p.values, statistics[0]), error(row_q.values, statistics[1]));
}

TEST_CASE("what a sampled token that has nearly all of the mass leaves to the others is kept") {
  const std::size_t vocab = 2001;
  // Around 20000 some types have no logit that lies 64 below another, or none that does so by little more.
  for (const float around : {0.0F, -300.0F, 20000.0F}) {
    for (const std::size_t peak : {0UL, 1023UL, 1500UL, 2000UL}) {
      std::vector<float> p = normal_row(vocab, 1, 17), q = normal_row(vocab, 1, 18);
      for (float& x : p) x += around;
      for (float& x : q) x += around;
      p[peak] = around + 22;
      q[peak] = around + 20;
      for (const cpu::Isa isa : cpu::available_isas()) {
        const cpu::IsaTable& table = cpu::table_of(isa);
        CAPTURE(std::string(cpu::name_of(isa)));
        CAPTURE(around);
        CAPTURE(peak);
        for (const double temperature : {1.0, 0.7}) {
          CAPTURE(temperature);
          CHECK(rest_error<float>(table, p, q, peak, DType::float32, temperature) < 4e-6);
          CHECK(rest_error<BFloat16>(table, p, q, peak, DType::bfloat16, temperature) < 4e-6);
          CHECK(rest_error<Float16>(table, p, q, peak, DType::float16, temperature) < 4e-6);
        }
        // Its stand-in would lie beyond float16.
        CHECK(rest_error<Float16>(table, p, q, peak, DType::float16, 2000) < 4e-6);
      }
    }
  }
}

TEST_CASE("unusable rows are refused and named") {
  const std::int32_t ids[3] = {0, 0, 0};
  for (const float bad : {kNaN, kInf}) {
    for (const cpu::Isa isa : cpu::available_isas()) {
      for (const std::size_t column : {0UL, 1500UL, 2000UL}) {
        std::vector<float> p = normal_row(3 * 2001, 1, 13), q = normal_row(3 * 2001, 1, 14);
        (column % 2 == 0 ? p : q)[2001 + column] = bad;
        double statistics[3 * kStatisticCount];
        const TensorView view_p = {p.data(), 3, 2001, 2001, DType::float32, {}};
        const TensorView view_q = {q.data(), 3, 2001, 2001, DType::float32, {}};
        const Status status = cpu::table_of(isa).token_stats(
            {3, 2001, view_p, view_q, ids, nullptr, statistics, nullptr, 1.0, false}, 0, 3);
        CHECK(status.code() == Code::not_finite);
        CHECK(status.row() == 1);
      }
    }
  }
}

TEST_CASE(
    "KL is infinite where the masked policy lacks what the policy has, in that direction only") {
  std::vector<float> p = normal_row(2000, 1, 15), q = normal_row(2000, 1, 16);
  q[1234] = -kInf;
  const std::int32_t id = 5;
  for (const cpu::Isa isa : cpu::available_isas()) {
    double statistics[kStatisticCount];
    const TensorView view_p = {p.data(), 1, p.size(), p.size(), DType::float32, {}};
    const TensorView view_q = {q.data(), 1, q.size(), q.size(), DType::float32, {}};
    REQUIRE(cpu::table_of(isa)
                .token_stats(
                    {1, 2000, view_p, view_q, &id, nullptr, statistics, nullptr, 1.0, false}, 0, 1)
                .ok());
    CHECK(std::isinf(statistics[4]));
    CHECK(std::isfinite(statistics[5]));
    REQUIRE(cpu::table_of(isa)
                .token_stats(
                    {1, 2000, view_q, view_p, &id, nullptr, statistics, nullptr, 1.0, false}, 0, 1)
                .ok());
    CHECK(std::isfinite(statistics[4]));
    CHECK(std::isinf(statistics[5]));
  }
}

TEST_CASE("gradients have the same bits streamed, in step with the next row and row by row") {
  // Large enough to be streamed and to be walked in step, at a pitch and an address that no vector likes.
  constexpr std::size_t kRows = 24, kVocab = 100003, kPitch = kVocab + 13, kStart = 3;
  constexpr float kUntouched = 7.25F;
  std::vector<float> p(kStart + kRows * kPitch), q(p.size());
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto seed = static_cast<unsigned>(20 + row);
    std::vector<float> row_p = normal_row(kVocab, 2, seed),
                       row_q = normal_row(kVocab, 2, seed + 99);
    if (row == 4) {
      for (std::size_t v = 0; v < kVocab; v += 3) row_p[v] = row_q[v] = -kInf;
    }
    if (row == 5) {
      for (std::size_t v = 0; v < kVocab; ++v) row_p[v] += 0.01F * static_cast<float>(v);
    }
    std::copy(row_p.begin(), row_p.end(), p.begin() + static_cast<long>(kStart + row * kPitch));
    std::copy(row_q.begin(), row_q.end(), q.begin() + static_cast<long>(kStart + row * kPitch));
  }
  std::vector<std::int32_t> ids(kRows, 11), mask(kRows, 1);
  mask[3] = 0;
  const std::vector<double> ones(kRows, 1.0);
  const auto view = [&](std::vector<float>& memory) {
    return TensorView{memory.data() + kStart, kRows, kVocab, kPitch, DType::float32, {}};
  };
  for (const cpu::Isa isa : cpu::available_isas()) {
    CAPTURE(std::string(cpu::name_of(isa)));
    const KernelFloatingPoint scope;
    std::vector<double> statistics(kRows * kStatisticCount), terms(kRows * kTermCount);
    papo_loss::Params params{};
    params.rows = kRows;
    params.vocab = kVocab;
    params.logits = view(p);
    params.masked_logits = view(q);
    params.token_ids = ids.data();
    params.mask = mask.data();
    params.data = {nullptr, nullptr, ones.data(), ones.data(), ones.data()};
    params.statistics = statistics.data();
    params.terms = terms.data();
    params.objective.perception_kl_coef = 0.5;
    params.objective.perception_kl_estimator = KlEstimator::exact;
    params.objective.entropy_coef = params.objective.masked_entropy_coef = 0.3;
    params.objective.entropy_estimator = EntropyEstimator::exact;
    params.objective.masked_differentiable = true;
    params.temperature = 1;
    params.grad_scale = 1;
    std::vector<float> grad_p(p.size(), kUntouched), grad_q(p.size(), kUntouched);
    params.grad_logits = view(grad_p);
    params.grad_masked_logits = view(grad_q);
    REQUIRE(cpu::table_of(isa).papo_loss(params, 0, kRows).ok());

    const auto write_over = [&](std::vector<float>& logits_p, std::vector<float>& logits_q) {
      params.logits = params.grad_logits = view(logits_p);
      params.masked_logits = params.grad_masked_logits = view(logits_q);
    };
    std::vector<float> in_step_p = p, in_step_q = q;
    write_over(in_step_p, in_step_q);
    REQUIRE(cpu::table_of(isa).papo_loss(params, 0, kRows).ok());
    std::vector<float> single_p = p, single_q = q;
    write_over(single_p, single_q);
    for (std::size_t row = 0; row < kRows; ++row) {
      REQUIRE(cpu::table_of(isa).papo_loss(params, row, row + 1).ok());
    }
    std::size_t different = 0, different_in_step = 0, touched = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const bool inside = i >= kStart && (i - kStart) % kPitch < kVocab;
      touched += !inside && (grad_p[i] != kUntouched || grad_q[i] != kUntouched) ? 1 : 0;
      different += inside && (grad_p[i] != single_p[i] || grad_q[i] != single_q[i]) ? 1 : 0;
      different_in_step += in_step_p[i] != single_p[i] || in_step_q[i] != single_q[i] ? 1 : 0;
    }
    CHECK(different == 0);
    CHECK(different_in_step == 0);
    CHECK(touched == 0);
  }
}
