// The asymmetrically clipped surrogate of one token: value, slope, and which clip fired.
#pragma once

#include "math/hostdev.hpp"

namespace papo {

/// `low` in [0, 1), `high` >= 0, `dual` > 1 + high or 0 to switch it off.
struct Clip {
  double low = 0.2;
  double high = 0.2;
  double dual = 0;
};

enum class ClipFired { none, low, high, dual };

struct SurrogateTerm {
  double value = 0;
  double slope = 0;
  ClipFired fired = ClipFired::none;
};

/// Loss and slope of one token under the asymmetric clip.
///
///   ratio        importance ratio, already limited so that exp cannot overflow
///   ratio_slope  d ratio / d log_prob: the ratio itself, or 0 where the limit binds
///   advantage    any sign, already normalised; 0 gives {0, 0}
///
/// The slope is taken in log_prob: -ratio * advantage where no clip fires and exactly 0 where one does.
/// At equality the unclipped branch wins; a test pins that choice.
/// Source: PPO (arXiv 1707.06347) eq. 7; separate bounds, DAPO (2503.14476); dual bound (1912.09729).
PAPO_HD SurrogateTerm clipped_surrogate(double ratio, double ratio_slope, double advantage,
                                        Clip clip) {
  if (advantage == 0) return {};
  if (advantage > 0) {
    if (ratio > 1 + clip.high) return {-advantage * (1 + clip.high), 0, ClipFired::high};
  } else {
    if (ratio < 1 - clip.low) return {-advantage * (1 - clip.low), 0, ClipFired::low};
    if (clip.dual > 0 && ratio > clip.dual) return {-advantage * clip.dual, 0, ClipFired::dual};
  }
  return {-advantage * ratio, -advantage * ratio_slope, ClipFired::none};
}

}  // namespace papo
