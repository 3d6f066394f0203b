// All terms of one token added up, with their signs: the per-token objective function.
//
// Every term here is a loss. Per token, with weights that carry the reduction's denominators:
//   weight * (surrogate + ref_kl_coef * ref_kl) - perception_weight * perception_kl_coef * perception_kl
//   + entropy_weight * (entropy_coef * entropy + masked_entropy_coef * masked_entropy)
// The perception KL enters with minus (it is maximised), both entropies with plus (they are kept low, or between bounds).
// Source: PAPO (arXiv 2507.06448) eq. 2-3, with the signs and orientation of the authors' code.
#pragma once

#include <cmath>

#include "math/divergence.hpp"
#include "math/entropy.hpp"
#include "math/hostdev.hpp"
#include "math/online_softmax.hpp"
#include "math/surrogate.hpp"

namespace papo {

struct ObjectiveParams {
  Clip clip;
  double ref_kl_coef = 0;
  KlEstimator ref_kl_estimator = KlEstimator::k3;
  double perception_kl_coef = 0;
  KlEstimator perception_kl_estimator = KlEstimator::k3;
  double entropy_coef = 0;
  double masked_entropy_coef = 0;
  EntropyEstimator entropy_estimator = EntropyEstimator::sampled;
  bool masked_differentiable = false;
  double log_ratio_limit = 20;
  double kl_limit = 10;
  double exact_kl_limit = static_cast<double>(INFINITY);
  /// Bounds of the perception term's value, whatever estimates it; `exact_kl_limit` and `kl_limit` act before.
  double perception_kl_min = -static_cast<double>(INFINITY);
  double perception_kl_max = static_cast<double>(INFINITY);
  EntropyHinge entropy_hinge;
};

/// What one token brings besides its statistics. Without an old policy the policy is its own (ratio 1).
struct TokenInputs {
  double old_log_prob = 0;
  double ref_log_prob = 0;
  double advantage = 0;
  double weight = 0;
  double perception_weight = 0;
  double entropy_weight = 0;
  bool has_old = false;
  bool has_ref = false;
  bool has_masked = false;
};

/// Values of the terms (no coefficient, no weight), the clip that fired, and for each term the summed
/// magnitude of its weighted cotangents; the order is that of the op's `terms` lines.
struct TokenTerms {
  double surrogate = 0;
  double ref_kl = 0;
  double perception_kl = 0;
  double entropy = 0;
  double masked_entropy = 0;
  double ratio = 0;
  double clip = 0;
  double grad_surrogate = 0;
  double grad_ref_kl = 0;
  double grad_perception_kl = 0;
  double grad_entropy = 0;
  double grad_masked_entropy = 0;
};
inline constexpr int kTermCount = 12;

/// d token loss / d statistic; the order is that of the op's `cotangents` lines.
struct TokenCotangents {
  double log_prob = 0;
  double masked_log_prob = 0;
  double entropy = 0;
  double masked_entropy = 0;
  double kl = 0;
  double reverse_kl = 0;
};

struct TokenObjective {
  TokenTerms terms;
  TokenCotangents cotangents;
  /// False if an infinite exact KL entered the loss with no limit to hold it.
  bool finite = true;
};

/// The differences of log-probs that a token's terms take exponentials of; 0 where a term is not there.
struct LogRatios {
  LimitedDifference old = {0, true};     ///< log_prob - old_log_prob
  LimitedDifference ref = {0, true};     ///< ref_log_prob - log_prob
  LimitedDifference masked = {0, true};  ///< masked_log_prob - log_prob
};

/// Those exponentials, which a GPU takes side by side.
struct Ratios {
  double old = 1;            ///< e^old
  double ref_less_1 = 0;     ///< e^ref - 1
  double masked_less_1 = 0;  ///< e^masked - 1
  // For the estimator jsd only.
  double ref_log_cosh = 0;     ///< log cosh(ref / 2)
  double masked_log_cosh = 0;  ///< log cosh(masked / 2)
};

PAPO_HD bool uses_log_cosh(const ObjectiveParams& params) {
  return params.ref_kl_estimator == KlEstimator::jsd ||
         params.perception_kl_estimator == KlEstimator::jsd;
}

PAPO_HD LogRatios log_ratios(const ObjectiveParams& params, const TokenStatistics& statistics,
                             const TokenInputs& token) {
  LogRatios result;
  const double log_prob = statistics.log_prob;
  const double limit = params.log_ratio_limit;
  // Without an old policy the policy is its own.
  result.old = limited_difference(log_prob, token.has_old ? token.old_log_prob : log_prob, limit);
  if (token.has_ref) result.ref = limited_difference(token.ref_log_prob, log_prob, limit);
  if (token.has_masked && !is_exact(params.perception_kl_estimator)) {
    result.masked = limited_difference(statistics.masked_log_prob, log_prob, limit);
  }
  return result;
}

PAPO_HD TokenObjective token_objective(const ObjectiveParams& params,
                                       const TokenStatistics& statistics, const TokenInputs& token,
                                       const LogRatios& logs, const Ratios& ratios) {
  TokenObjective result;
  TokenTerms& terms = result.terms;
  TokenCotangents& cotangents = result.cotangents;
  const double log_prob = statistics.log_prob;

  const double ratio = ratios.old;
  const double ratio_slope = logs.old.free ? ratio : 0;
  terms.ratio = ratio;

  const SurrogateTerm surrogate =
      clipped_surrogate(ratio, ratio_slope, token.advantage, params.clip);
  terms.surrogate = surrogate.value;
  terms.clip = static_cast<double>(surrogate.fired);
  cotangents.log_prob = token.weight * surrogate.slope;
  terms.grad_surrogate = fabs(cotangents.log_prob);

  if (token.has_ref) {
    const KlEstimate ref_kl = sampled_kl(params.ref_kl_estimator, logs.ref, ratios.ref_less_1,
                                         ratios.ref_log_cosh, ratio, ratio_slope, params.kl_limit);
    terms.ref_kl = ref_kl.value;
    const double slope = token.weight * params.ref_kl_coef * ref_kl.slope_log_prob;
    cotangents.log_prob += slope;
    terms.grad_ref_kl = fabs(slope);
  }

  const EntropyTerm entropy =
      entropy_term(params.entropy_estimator, params.entropy_hinge, log_prob, statistics.entropy);
  const double entropy_scale = token.entropy_weight * params.entropy_coef;
  terms.entropy = entropy.value;
  cotangents.log_prob += entropy_scale * entropy.slope_log_prob;
  cotangents.entropy = entropy_scale * entropy.slope_entropy;
  terms.grad_entropy = fabs(entropy_scale * (entropy.slope_log_prob + entropy.slope_entropy));

  if (!token.has_masked) return result;
  const double masked_on = params.masked_differentiable ? 1 : 0;

  const double perception_scale = -token.perception_weight * params.perception_kl_coef;
  if (is_exact(params.perception_kl_estimator)) {
    const bool reverse = params.perception_kl_estimator == KlEstimator::exact_reverse;
    const double kl = reverse ? statistics.reverse_kl : statistics.kl;
    bool free = kl <= params.exact_kl_limit;
    terms.perception_kl = free ? kl : params.exact_kl_limit;
    if (held_within(terms.perception_kl, params.perception_kl_min, params.perception_kl_max)) {
      free = false;
    }
    result.finite = perception_scale == 0 || std::isfinite(terms.perception_kl);
    const double slope = free && perception_scale != 0 ? perception_scale : 0;
    (reverse ? cotangents.reverse_kl : cotangents.kl) = slope;
    terms.grad_perception_kl = fabs(slope);
  } else {
    KlEstimate kl = sampled_kl(params.perception_kl_estimator, logs.masked, ratios.masked_less_1,
                               ratios.masked_log_cosh, ratio, ratio_slope, params.kl_limit);
    if (held_within(kl.value, params.perception_kl_min, params.perception_kl_max)) {
      kl.slope_log_prob = kl.slope_other = 0;
    }
    terms.perception_kl = kl.value;
    const double slope = perception_scale * kl.slope_log_prob;
    const double masked_slope = masked_on * perception_scale * kl.slope_other;
    cotangents.log_prob += slope;
    cotangents.masked_log_prob = masked_slope;
    terms.grad_perception_kl = fabs(slope) + fabs(masked_slope);
  }

  const EntropyTerm masked_entropy =
      entropy_term(params.entropy_estimator, params.entropy_hinge, statistics.masked_log_prob,
                   statistics.masked_entropy);
  const double masked_scale = masked_on * token.entropy_weight * params.masked_entropy_coef;
  terms.masked_entropy = masked_entropy.value;
  cotangents.masked_log_prob += masked_scale * masked_entropy.slope_log_prob;
  cotangents.masked_entropy = masked_scale * masked_entropy.slope_entropy;
  terms.grad_masked_entropy =
      fabs(masked_scale * (masked_entropy.slope_log_prob + masked_entropy.slope_entropy));
  return result;
}

PAPO_HD TokenObjective token_objective(const ObjectiveParams& params,
                                       const TokenStatistics& statistics,
                                       const TokenInputs& token) {
  const LogRatios logs = log_ratios(params, statistics, token);
  Ratios ratios;
  ratios.old = exp(logs.old.value);
  ratios.ref_less_1 = expm1(logs.ref.value);
  ratios.masked_less_1 = expm1(logs.masked.value);
  if (uses_log_cosh(params)) {
    ratios.ref_log_cosh = log_cosh_half(logs.ref.value, ratios.ref_less_1);
    ratios.masked_log_cosh = log_cosh_half(logs.masked.value, ratios.masked_less_1);
  }
  return token_objective(params, statistics, token, logs, ratios);
}

}  // namespace papo
