// From the cotangents of one row's statistics to the coefficients of its gradients.
//
// With p, q the two policies' probabilities, H their entropies, K = KL(p||q), R = KL(q||p), T the temperature:
//   T d/dz:  c_logp (1[v = id] - p) - c_H p (log p + H) + c_K p (log p - log q - K) + c_R (p - q)
//   T d/dz': c_logq (1[v = id] - q) - c_H' q (log q + H') + c_R q (log q - log p - R) + c_K (q - p)
// Everything that does not vary over the row is folded here, in float64, so that the walk over the vocabulary
// does one multiply-add per term. The derivation is in native/math/README.md.
#pragma once

#include <cmath>

#include "math/hostdev.hpp"
#include "math/online_softmax.hpp"
#include "math/token_objective.hpp"

namespace papo {

/// With t = z - reference, e = exp(t), u = t_p - t_q:
///   grad   = e_p (p_constant + p_own t_p + p_cross u) + p_other e_q
///   masked = e_q (q_constant + q_own t_q + q_cross u) + q_other e_p
/// and at the chosen token the exact value instead.
struct RowGradient {
  double p_constant = 0, p_own = 0, p_cross = 0, p_other = 0;
  double q_constant = 0, q_own = 0, q_cross = 0, q_other = 0;
  double chosen_p = 0, chosen_q = 0;
};

/// 0 times an infinite statistic is 0: a cotangent of 0 means that the statistic was not used.
PAPO_HD double weighted(double cotangent, double statistic) {
  return cotangent == 0 ? 0 : cotangent * statistic;
}

/// log of the sum of e^t: what the log-sum-exp holds beyond the reference.
PAPO_HD double rest_of(double log_sum_exp, float reference) {
  return log_sum_exp - static_cast<double>(reference);
}

/// The exponentials that a row's coefficients take, which a GPU takes side by side.
struct RowPowers {
  double share_p = 0;  ///< e^-rest: what makes a probability of e_p
  double share_q = 0;  ///< 0 without a masked policy, like all of q
  double p = 0;        ///< e^log_prob
  double q = 0;
  double p_less_1 = 0;  ///< e^log_prob - 1; at p near 1 the plain difference has no digits left
  double q_less_1 = 0;
};

/// `scale` multiplies everything (the gradient scale over the temperature).
PAPO_HD RowGradient row_gradient(const TokenStatistics& s, const TokenCotangents& c,
                                 float reference_p, float reference_q, double scale,
                                 bool has_masked, const RowPowers& powers) {
  RowGradient g;
  const double rest_p = rest_of(s.log_sum_exp, reference_p);
  const double rest_q = rest_of(s.masked_log_sum_exp, reference_q);
  const double scale_p = scale * powers.share_p;
  const double scale_q = has_masked ? scale * powers.share_q : 0;
  const double drift = has_masked ? rest_p - rest_q : 0;
  const double c_kl = has_masked ? c.kl : 0;
  const double c_reverse = has_masked ? c.reverse_kl : 0;

  g.p_constant = scale_p * (-c.log_prob + c.entropy * (rest_p - s.entropy) - weighted(c_kl, s.kl) -
                            c_kl * drift + c_reverse);
  g.p_own = -scale_p * c.entropy;
  g.p_cross = scale_p * c_kl;
  g.p_other = -scale_q * c_reverse;
  const double p = powers.p;
  const double q = has_masked ? powers.q : 0;
  // A chosen token that one policy holds impossible has no ratio; the KL it makes infinite has no gradient.
  const double difference = s.log_prob - s.masked_log_prob;
  const double log_ratio = std::isfinite(difference) ? difference : 0;
  g.chosen_p =
      scale * (-c.log_prob * powers.p_less_1 - p * (weighted(c.entropy, s.log_prob + s.entropy)) +
               p * (weighted(c_kl, log_ratio) - weighted(c_kl, s.kl)) + c_reverse * (p - q));
  if (!has_masked) return g;

  g.q_constant = scale_q * (-c.masked_log_prob + c.masked_entropy * (rest_q - s.masked_entropy) -
                            weighted(c_reverse, s.reverse_kl) + c_reverse * drift + c_kl);
  g.q_own = -scale_q * c.masked_entropy;
  g.q_cross = -scale_q * c_reverse;
  g.q_other = -scale_p * c_kl;
  g.chosen_q = scale * (-c.masked_log_prob * powers.q_less_1 -
                        q * (weighted(c.masked_entropy, s.masked_log_prob + s.masked_entropy)) -
                        q * (weighted(c_reverse, log_ratio) + weighted(c_reverse, s.reverse_kl)) +
                        c_kl * (q - p));
  return g;
}

PAPO_HD RowGradient row_gradient(const TokenStatistics& s, const TokenCotangents& c,
                                 float reference_p, float reference_q, double scale,
                                 bool has_masked) {
  RowPowers powers;
  powers.share_p = exp(-rest_of(s.log_sum_exp, reference_p));
  powers.p = exp(s.log_prob);
  powers.p_less_1 = expm1(s.log_prob);
  if (has_masked) {
    powers.share_q = exp(-rest_of(s.masked_log_sum_exp, reference_q));
    powers.q = exp(s.masked_log_prob);
    powers.q_less_1 = expm1(s.masked_log_prob);
  }
  return row_gradient(s, c, reference_p, reference_q, scale, has_masked, powers);
}

}  // namespace papo
