// KL of one token estimated from log-probs: value and both slopes of each estimator.
//
// With x = other - log_prob under the policy that sampled the token:
//   k1 = -x        unbiased, high variance; its expected gradient is 0
//   k2 = x^2 / 2   biased; its expected gradient is that of KL(policy || other)
//   k3 = e^x-1-x   unbiased, never negative; its expected gradient is that of KL(other || policy)
//   k3+            value of k3, gradient of k2 (straight through)
//   abs = |x|
//   unbiased       ratio * k3 with the ratio differentiable: right in value and gradient, off-policy too
//   jsd            (u log u - (1 + u) log((1 + u) / 2)) / 2 with u = e^x: unbiased for the Jensen-Shannon
//                  divergence, never negative, at most log(2) / 2 where x < 0
// Source: J. Schulman, "Approximating KL Divergence" (2020); limits as in the PAPO authors' code. Jensen-Shannon:
// J. Lin (1991), doi 10.1109/18.61115.
#pragma once

#include <cmath>

#include "math/hostdev.hpp"

namespace papo {

enum class KlEstimator { k1, k2, k3, k3_plus, abs, unbiased, jsd, exact, exact_reverse };

PAPO_HD bool is_exact(KlEstimator estimator) {
  return estimator == KlEstimator::exact || estimator == KlEstimator::exact_reverse;
}

/// A difference of two log-probs held within a limit; where the limit binds its slope is 0.
struct LimitedDifference {
  double value;
  bool free;
};

/// a - b within [-limit, limit]. Equal values give 0 even if both are -Infinity, which is not free: no step moves it.
PAPO_HD LimitedDifference limited_difference(double a, double b, double limit) {
  if (a == b) return {0, a > -static_cast<double>(INFINITY)};
  const double difference = a - b;
  if (difference > limit) return {limit, false};
  if (difference < -limit) return {-limit, false};
  return {difference, true};
}

/// log cosh(x / 2) from x and `growth` e^x - 1; to its own precision, since jsd is a difference of order x^2 too.
PAPO_HD double log_cosh_half(double x, double growth) {
  const bool near = fabs(x) < 1;
  const double log = log1p(near ? growth * growth / (4 + 4 * growth) : 0.5 * growth);
  return near ? 0.5 * log : log - 0.5 * x;
}

/// Holds `value` within [least, most] and says whether it had to: at either bound itself it had not.
PAPO_HD bool held_within(double& value, double least, double most) {
  const bool held = value < least || value > most;
  if (held) value = value < least ? least : most;
  return held;
}

/// Value and slopes of one token's estimate.
struct KlEstimate {
  double value = 0;
  double slope_log_prob = 0;
  double slope_other = 0;
};

/// `x` is other - log_prob and `growth` e^x - 1; `log_cosh` of half of x is used by `jsd` only, `ratio` and `ratio_slope`
/// (d ratio / d log_prob) by `unbiased` only.
PAPO_HD KlEstimate sampled_kl(KlEstimator estimator, LimitedDifference x, double growth,
                              double log_cosh, double ratio, double ratio_slope, double kl_limit) {
  // jsd in k3's place: of the same kind, and under the same limit.
  double k3 = estimator == KlEstimator::jsd
                  ? 0.5 * (growth * (0.5 * x.value) - (2 + growth) * log_cosh)
                  : growth - x.value;
  bool k3_free = x.free;
  if (k3 > kl_limit) {
    k3 = kl_limit;
    k3_free = false;
  }
  double value = 0;
  double slope_other = 0;  // d value / d other; the log_prob's is its opposite
  switch (estimator) {
    case KlEstimator::k1:
      value = -x.value;
      slope_other = x.free ? -1 : 0;
      break;
    case KlEstimator::abs:
      value = fabs(x.value);
      slope_other = !x.free || x.value == 0 ? 0 : copysign(1.0, x.value);
      break;
    case KlEstimator::k2:
      value = 0.5 * x.value * x.value;
      slope_other = x.free ? x.value : 0;
      break;
    case KlEstimator::k3_plus:
      value = k3;
      slope_other = k3_free ? x.value : 0;
      break;
    case KlEstimator::unbiased: {
      slope_other = k3_free ? ratio * growth : 0;
      return {ratio * k3, ratio_slope * k3 - slope_other, slope_other};
    }
    case KlEstimator::jsd:
      value = k3;
      slope_other = k3_free ? 0.5 * (1 + growth) * (0.5 * x.value - log_cosh) : 0;
      break;
    default:
      value = k3;
      slope_other = k3_free ? growth : 0;
      break;
  }
  return {value, -slope_other, slope_other};
}

PAPO_HD KlEstimate sampled_kl(KlEstimator estimator, double log_prob, double other, double ratio,
                              double ratio_slope, double log_ratio_limit, double kl_limit) {
  const LimitedDifference x = limited_difference(other, log_prob, log_ratio_limit);
  const double growth = expm1(x.value);
  return sampled_kl(estimator, x, growth, log_cosh_half(x.value, growth), ratio, ratio_slope,
                    kl_limit);
}

}  // namespace papo
