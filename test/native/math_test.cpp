// The arithmetic of one token: slopes against central differences, limits, and states that merge.
#include <cmath>
#include <limits>
#include <random>

#include <doctest/doctest.h>

#include "math/token_objective.hpp"

using namespace papo;

namespace {

constexpr double kStep = 1e-6;
const double kInf = std::numeric_limits<double>::infinity();

double loss_of(const ObjectiveParams& params, const TokenStatistics& s, const TokenInputs& token) {
  const TokenTerms t = token_objective(params, s, token).terms;
  return token.weight * (t.surrogate + params.ref_kl_coef * t.ref_kl -
                         params.perception_kl_coef * t.perception_kl) +
         token.entropy_weight *
             (params.entropy_coef * t.entropy + params.masked_entropy_coef * t.masked_entropy);
}

double difference(const ObjectiveParams& params, TokenStatistics s, const TokenInputs& token,
                  double TokenStatistics::* which) {
  const double at = s.*which;
  s.*which = at + kStep;
  const double above = loss_of(params, s, token);
  s.*which = at - kStep;
  return (above - loss_of(params, s, token)) / (2 * kStep);
}

TokenInputs token_with(double old_log_prob, double ref_log_prob, double advantage) {
  return {old_log_prob, ref_log_prob, advantage, 0.25, 0.5, true, true, true};
}

}  // namespace

TEST_CASE(
    "cotangents are the slopes of the token's loss for every estimator with a true gradient") {
  // k3+ is left out: its gradient is k2's by definition, see the case below.
  const KlEstimator estimators[] = {
      KlEstimator::k1,       KlEstimator::k2,    KlEstimator::k3,           KlEstimator::abs,
      KlEstimator::unbiased, KlEstimator::exact, KlEstimator::exact_reverse};
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(-3, -0.1);
  for (const KlEstimator estimator : estimators) {
    for (int trial = 0; trial < 50; ++trial) {
      ObjectiveParams params;
      params.clip = {0.2, 0.3, 3};
      params.ref_kl_coef = 0.7;
      params.ref_kl_estimator = is_exact(estimator) ? KlEstimator::k3 : estimator;
      params.perception_kl_coef = 0.9;
      params.perception_kl_estimator = estimator;
      params.entropy_coef = 0.3;
      params.masked_entropy_coef = 0.4;
      params.entropy_estimator =
          trial % 2 == 0 ? EntropyEstimator::sampled : EntropyEstimator::exact;
      params.masked_differentiable = true;
      const TokenStatistics s = {uniform(random), uniform(random), 1.5, 1.7, 0.8, 0.6, 0, 0};
      const TokenInputs token =
          token_with(s.log_prob + uniform(random) + 1.5, uniform(random), trial % 3 - 1.0);
      const TokenCotangents c = token_objective(params, s, token).cotangents;
      const auto near = [](double value) { return doctest::Approx(value).epsilon(1e-6).scale(1); };
      CAPTURE(static_cast<int>(estimator));
      CHECK(c.log_prob == near(difference(params, s, token, &TokenStatistics::log_prob)));
      CHECK(c.masked_log_prob ==
            near(difference(params, s, token, &TokenStatistics::masked_log_prob)));
      CHECK(c.entropy == near(difference(params, s, token, &TokenStatistics::entropy)));
      CHECK(c.masked_entropy ==
            near(difference(params, s, token, &TokenStatistics::masked_entropy)));
      CHECK(c.kl == near(difference(params, s, token, &TokenStatistics::kl)));
      CHECK(c.reverse_kl == near(difference(params, s, token, &TokenStatistics::reverse_kl)));
    }
  }
}

TEST_CASE("k3+ has the value of k3 and the gradient of k2") {
  const KlEstimate k2 = sampled_kl(KlEstimator::k2, -1, -1.7, 1, 1, 20, 10);
  const KlEstimate k3 = sampled_kl(KlEstimator::k3, -1, -1.7, 1, 1, 20, 10);
  const KlEstimate both = sampled_kl(KlEstimator::k3_plus, -1, -1.7, 1, 1, 20, 10);
  CHECK(both.value == k3.value);
  CHECK(both.slope_log_prob == k2.slope_log_prob);
  CHECK(both.slope_other == k2.slope_other);
}

TEST_CASE("without limits the unbiased estimator's slope is -ratio times x") {
  const double ratio = std::exp(0.4);
  const KlEstimate estimate = sampled_kl(KlEstimator::unbiased, -1, -0.3, ratio, ratio, 20, 10);
  CHECK(estimate.slope_log_prob == doctest::Approx(-ratio * 0.7));
}

TEST_CASE("a limit that binds stops the gradient and holds the value") {
  const KlEstimate at_value = sampled_kl(KlEstimator::k3, -5, -1, 1, 1, 20, 10);  // k3 = 49.6
  CHECK(at_value.value == 10);
  CHECK(at_value.slope_log_prob == 0);
  const KlEstimate at_argument = sampled_kl(KlEstimator::k3, -1, -40, 1, 1, 20, 100);
  CHECK(at_argument.value == doctest::Approx(19 + std::exp(-20.0)));
  CHECK(at_argument.slope_other == 0);
}

TEST_CASE("impossible tokens keep every estimate finite") {
  CHECK(limited_difference(-kInf, -kInf, 20).value == 0);
  CHECK(limited_difference(-kInf, -1, 20).value == -20);
  CHECK(limited_difference(-1, -kInf, 20).value == 20);
  const EntropyTerm entropy = entropy_term(EntropyEstimator::sampled, -kInf, 0);
  CHECK(entropy.value == 0);
  CHECK(entropy.slope_log_prob == 0);
}

TEST_CASE("at the bound of a clip the unclipped branch is active") {
  const Clip clip = {0.2, 0.3, 3};
  const SurrogateTerm high = clipped_surrogate(1.3, 1.3, 2, clip);
  CHECK(high.fired == ClipFired::none);
  CHECK(high.slope == doctest::Approx(-2.6));
  CHECK(clipped_surrogate(std::nextafter(1.3, 2), 1.3, 2, clip).fired == ClipFired::high);
  CHECK(clipped_surrogate(0.8, 0.8, -1, clip).fired == ClipFired::none);
  CHECK(clipped_surrogate(0.79, 0.79, -1, clip).fired == ClipFired::low);
  CHECK(clipped_surrogate(3, 3, -1, clip).fired == ClipFired::none);
  const SurrogateTerm dual = clipped_surrogate(3.1, 3.1, -1, clip);
  CHECK(dual.fired == ClipFired::dual);
  CHECK(dual.value == 3);
  CHECK(dual.slope == 0);
}

TEST_CASE("an infinite exact KL needs a limit, and with one has no gradient") {
  ObjectiveParams params;
  params.perception_kl_coef = 0.02;
  params.perception_kl_estimator = KlEstimator::exact;
  TokenStatistics s;
  s.kl = kInf;
  CHECK_FALSE(token_objective(params, s, token_with(0, 0, 0)).finite);
  params.exact_kl_limit = 10;
  const TokenObjective limited = token_objective(params, s, token_with(0, 0, 0));
  CHECK(limited.finite);
  CHECK(limited.terms.perception_kl == 10);
  CHECK(limited.cotangents.kl == 0);
}

TEST_CASE("states of parts of a row merge to the state of the row, in any grouping") {
  std::mt19937 random(2);
  std::normal_distribution<double> normal(0, 6);
  const int parts = 6, columns = 40;
  RowState states[parts];
  double direct_p = 0, direct_q = 0, direct_cross = 0;
  double z_p[parts][columns], z_q[parts][columns];
  for (int part = 0; part < parts; ++part) {
    float highest_p = kNoReference, highest_q = kNoReference;
    for (int i = 0; i < columns; ++i) {
      z_p[part][i] = normal(random) + 20 * part;  // later parts swamp earlier ones
      z_q[part][i] = normal(random);
      highest_p = larger(highest_p, static_cast<float>(z_p[part][i]));
      highest_q = larger(highest_q, static_cast<float>(z_q[part][i]));
    }
    RowState& s = states[part];
    s.reference_p = highest_p;
    s.reference_q = highest_q;
    for (int i = 0; i < columns; ++i) {
      const double t_p = z_p[part][i] - static_cast<double>(highest_p);
      const double t_q = z_q[part][i] - static_cast<double>(highest_q);
      s.sum_p += std::exp(t_p);
      s.sum_q += std::exp(t_q);
      s.dot_p += std::exp(t_p) * t_p;
      s.dot_q += std::exp(t_q) * t_q;
      s.cross_p += std::exp(t_p) * (t_p - t_q);
      s.cross_q += std::exp(t_q) * (t_q - t_p);
      direct_p += std::exp(z_p[part][i] - 150);
      direct_q += std::exp(z_q[part][i]);
    }
  }
  for (int part = 0; part < parts; ++part) {
    for (int i = 0; i < columns; ++i) {
      const double log_p = z_p[part][i] - 150 - std::log(direct_p);
      const double log_q = z_q[part][i] - std::log(direct_q);
      direct_cross += std::exp(log_p) * (log_p - log_q);
    }
  }
  RowState in_order;
  for (const RowState& state : states) merge(in_order, state);
  RowState pairs;
  for (int part = parts - 2; part >= 0; part -= 2) {
    RowState pair = states[part + 1];
    merge(pair, states[part]);
    merge(pairs, pair);
  }
  const TokenStatistics a = finish(in_order, true, 1);
  const TokenStatistics b = finish(pairs, true, 1);
  CHECK(a.log_sum_exp == doctest::Approx(150 + std::log(direct_p)).epsilon(1e-12));
  CHECK(a.masked_log_sum_exp == doctest::Approx(std::log(direct_q)).epsilon(1e-12));
  CHECK(a.kl == doctest::Approx(direct_cross).epsilon(1e-10));
  CHECK(b.kl == doctest::Approx(a.kl).epsilon(1e-12));
  CHECK(b.entropy == doctest::Approx(a.entropy).epsilon(1e-12));
  CHECK(b.reverse_kl == doctest::Approx(a.reverse_kl).epsilon(1e-12));
}
