// Entropy of one token: exact over the vocabulary, or the sampled estimate -log_prob.
//
// The sampled estimate's expected on-policy gradient is 0: it acts as likelihood of the policy's own samples
//. For the masked policy it is a cross-entropy, since the
// tokens came from the policy that saw the image.
#pragma once

#include <cmath>

#include "math/hostdev.hpp"

namespace papo {

enum class EntropyEstimator { sampled, exact };

struct EntropyTerm {
  double value = 0;
  double slope_log_prob = 0;
  double slope_entropy = 0;
};

/// With a finite bound the term is max(0, low - H) + max(0, H - high) in the place of H: it keeps H between them.
struct EntropyHinge {
  double low = -static_cast<double>(INFINITY);
  double high = static_cast<double>(INFINITY);

  PAPO_HD bool on() const {
    return low > -static_cast<double>(INFINITY) || high < static_cast<double>(INFINITY);
  }
};

/// A token that its policy holds impossible (log_prob -Infinity) has no sampled estimate: it counts 0, hinge or not.
/// The hinge has slope -1 below `low`, +1 above `high`, and 0 between and at the bounds themselves.
PAPO_HD EntropyTerm entropy_term(EntropyEstimator estimator, EntropyHinge hinge, double log_prob,
                                 double entropy) {
  const bool exact = estimator == EntropyEstimator::exact;
  if (!exact && log_prob == -static_cast<double>(INFINITY)) return {};
  const EntropyTerm term = exact ? EntropyTerm{entropy, 0, 1} : EntropyTerm{-log_prob, -1, 0};
  if (!hinge.on()) return term;
  if (term.value > hinge.high) {
    return {term.value - hinge.high, term.slope_log_prob, term.slope_entropy};
  }
  if (!(term.value < hinge.low)) return {};
  // Taken from 0, so that no slope is -0.
  return {hinge.low - term.value, 0 - term.slope_log_prob, 0 - term.slope_entropy};
}

}  // namespace papo
