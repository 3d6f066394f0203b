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

/// A token that its policy holds impossible (log_prob -Infinity) has no sampled estimate: it counts 0.
PAPO_HD EntropyTerm entropy_term(EntropyEstimator estimator, double log_prob, double entropy) {
  if (estimator == EntropyEstimator::exact) return {entropy, 0, 1};
  if (log_prob == -static_cast<double>(INFINITY)) return {};
  return {-log_prob, -1, 0};
}

}  // namespace papo
