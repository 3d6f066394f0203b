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
  return token.weight * (t.surrogate + params.ref_kl_coef * t.ref_kl) -
         token.perception_weight * params.perception_kl_coef * t.perception_kl +
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
  return {old_log_prob, ref_log_prob, advantage, 0.25, 0.75, 0.5, true, true, true};
}

}  // namespace

TEST_CASE(
    "cotangents are the slopes of the token's loss for every estimator with a true gradient") {
  // k3+ is left out: its gradient is k2's by definition, see the case below.
  const KlEstimator estimators[] = {KlEstimator::k1,    KlEstimator::k2,           KlEstimator::k3,
                                    KlEstimator::abs,   KlEstimator::unbiased,     KlEstimator::jsd,
                                    KlEstimator::exact, KlEstimator::exact_reverse};
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

TEST_CASE("the mean of jsd over a policy's tokens is the Jensen-Shannon divergence") {
  const double p[] = {0.6, 0.25, 0.1, 0.05}, q[] = {0.05, 0.3, 0.1, 0.55};
  double mean = 0, divergence = 0, slope_at_q[4] = {};
  for (int v = 0; v < 4; ++v) {
    const KlEstimate estimate =
        sampled_kl(KlEstimator::jsd, std::log(p[v]), std::log(q[v]), 1, 1, 20, 10);
    const double middle = (p[v] + q[v]) / 2;
    mean += p[v] * estimate.value;
    divergence += (p[v] * std::log(p[v] / middle) + q[v] * std::log(q[v] / middle)) / 2;
    slope_at_q[v] = p[v] * estimate.slope_other / q[v];
    // d divergence / d q[v], by the textbook.
    CHECK(slope_at_q[v] == doctest::Approx(std::log(q[v] / middle) / 2).epsilon(1e-13).scale(1));
    CHECK(estimate.slope_log_prob == -estimate.slope_other);
  }
  CHECK(mean == doctest::Approx(divergence).epsilon(1e-14));
}

TEST_CASE(
    "jsd keeps its digits near 0, its bound where the other policy gives no mass, and klLimit") {
  const auto jsd = [](double x, double kl_limit = 1e9) {
    return sampled_kl(KlEstimator::jsd, 0, x, 1, 1, 700, kl_limit);
  };
  for (const double x : {1e-9, 1e-6, 1e-4, 1e-3}) {
    for (const double sign : {-1.0, 1.0}) {
      const double y = sign * x;
      const double value = y * y / 8 * (1 + y / 2 + y * y / 8 + y * y * y / 48);
      const double slope = y / 4 * (1 + 3 * y / 4 + y * y / 4 + 5 * y * y * y / 96);
      CHECK(std::fabs(jsd(y).value / value - 1) < 1e-12);
      CHECK(std::fabs(jsd(y).slope_other / slope - 1) < 1e-12);
    }
  }
  CHECK(jsd(0).value == 0);
  CHECK(jsd(0).slope_other == 0);
  CHECK(jsd(-700).value == doctest::Approx(std::log(2.0) / 2).epsilon(1e-12));
  CHECK(std::fabs(jsd(-700).slope_other) < 1e-12);
  CHECK(jsd(20).value == doctest::Approx(std::exp(20.0) * std::log(2.0) / 2).epsilon(1e-7));
  CHECK(std::isfinite(jsd(700).value));
  for (double x = -30; x < 30; x += 0.01) CHECK(jsd(x).value >= 0);
  // At the edge of the two forms of log cosh.
  CHECK(jsd(std::nextafter(1, 0)).value == doctest::Approx(jsd(1).value).epsilon(1e-14));
  CHECK(jsd(std::nextafter(-1, 0)).value == doctest::Approx(jsd(-1).value).epsilon(1e-14));
  CHECK(jsd(3.5, 10).value < 10);
  CHECK(jsd(3.6, 10).value == 10);
  CHECK(jsd(3.6, 10).slope_other == 0);
}

TEST_CASE(
    "the perception term is held between its bounds, without slope beyond them and free at them") {
  for (const KlEstimator estimator : {KlEstimator::k1, KlEstimator::k3, KlEstimator::unbiased,
                                      KlEstimator::jsd, KlEstimator::exact}) {
    CAPTURE(static_cast<int>(estimator));
    ObjectiveParams params;
    params.perception_kl_coef = 0.5;
    params.perception_kl_estimator = estimator;
    params.masked_differentiable = true;
    // Not known to the compiler, whose logarithms are not those of the library.
    const volatile double masked_log_prob = -2.5;
    const TokenStatistics s = {-1, masked_log_prob, 1, 1, 0.7, 0.6, 0, 0};
    const TokenInputs token = token_with(-1.1, -1, 0);
    const TokenObjective free = token_objective(params, s, token);
    const double value = free.terms.perception_kl;
    REQUIRE(value > 0);
    params.perception_kl_min = params.perception_kl_max = value;
    const TokenObjective at = token_objective(params, s, token);
    CHECK(at.terms.perception_kl == value);
    CHECK(at.cotangents.log_prob == free.cotangents.log_prob);
    CHECK(at.cotangents.kl == free.cotangents.kl);
    const double beyond[] = {std::nextafter(value, 10), std::nextafter(value, 0)};
    for (const double bound : beyond) {
      params.perception_kl_min = params.perception_kl_max = bound;
      const TokenObjective held = token_objective(params, s, token);
      CHECK(held.terms.perception_kl == bound);
      CHECK(held.cotangents.log_prob == 0);
      CHECK(held.cotangents.masked_log_prob == 0);
      CHECK(held.cotangents.kl == 0);
      CHECK(held.terms.grad_perception_kl == 0);
    }
  }
}

TEST_CASE(
    "entropies with a bound are hinges: slope -1 below, +1 above, 0 between and at the bounds") {
  const EntropyHinge hinge = {0.5, 2};
  const struct {
    double entropy, value, slope;
  } cases[] = {{0.2, 0.3, -1}, {0.5, 0, 0}, {1, 0, 0}, {2, 0, 0}, {2.5, 0.5, 1}};
  for (const auto& [entropy, value, slope] : cases) {
    const EntropyTerm exact = entropy_term(EntropyEstimator::exact, hinge, 0, entropy);
    CHECK(exact.value == doctest::Approx(value));
    CHECK(exact.slope_entropy == slope);
    CHECK(exact.slope_log_prob == 0);
    const EntropyTerm sampled = entropy_term(EntropyEstimator::sampled, hinge, -entropy, 9);
    CHECK(sampled.value == doctest::Approx(value));
    CHECK(sampled.slope_log_prob == -slope);
    CHECK(sampled.slope_entropy == 0);
  }
  CHECK(entropy_term(EntropyEstimator::exact, {-kInf, 2}, 0, 0.1).value == 0);
  CHECK(entropy_term(EntropyEstimator::exact, {0.5, kInf}, 0, 9).slope_entropy == 0);
  CHECK(entropy_term(EntropyEstimator::sampled, hinge, -kInf, 0).value == 0);
  CHECK(entropy_term(EntropyEstimator::sampled, hinge, -kInf, 0).slope_log_prob == 0);
}

TEST_CASE("both entropies and the weight of the perception term reach their cotangents") {
  ObjectiveParams params;
  params.perception_kl_coef = 0.9;
  params.entropy_coef = 0.3;
  params.masked_entropy_coef = 0.4;
  params.masked_differentiable = true;
  params.entropy_hinge = {1.2, 1.9};
  params.perception_kl_max = 0.2;
  for (const EntropyEstimator estimator : {EntropyEstimator::sampled, EntropyEstimator::exact}) {
    params.entropy_estimator = estimator;
    for (const double log_prob : {-0.4, -1.5, -2.6}) {
      const TokenStatistics s = {log_prob, log_prob - 0.6, -log_prob, 0.6 - log_prob, 0.1, 0.1, 0,
                                 0};
      const TokenInputs token = token_with(log_prob, log_prob, 1);
      const TokenCotangents c = token_objective(params, s, token).cotangents;
      const auto near = [](double value) { return doctest::Approx(value).epsilon(1e-6).scale(1); };
      CHECK(c.log_prob == near(difference(params, s, token, &TokenStatistics::log_prob)));
      CHECK(c.masked_log_prob ==
            near(difference(params, s, token, &TokenStatistics::masked_log_prob)));
      CHECK(c.entropy == near(difference(params, s, token, &TokenStatistics::entropy)));
      CHECK(c.masked_entropy ==
            near(difference(params, s, token, &TokenStatistics::masked_entropy)));
    }
  }
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
  CHECK(!limited_difference(-kInf, -kInf, 20).free);
  CHECK(limited_difference(-kInf, -1, 20).value == -20);
  CHECK(limited_difference(-1, -kInf, 20).value == 20);
  const EntropyTerm entropy = entropy_term(EntropyEstimator::sampled, {}, -kInf, 0);
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
  params.exact_kl_limit = kInf;
  params.perception_kl_max = 3;
  const TokenObjective held = token_objective(params, s, token_with(0, 0, 0));
  CHECK(held.finite);
  CHECK(held.terms.perception_kl == 3);
  CHECK(held.cotangents.kl == 0);
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
