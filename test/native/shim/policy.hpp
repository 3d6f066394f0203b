// From a seed to a schedule: who runs next, in which order lanes go, and when asynchronous copies land.
#pragma once

#include <cstdint>

namespace papo::shim {

/// xorshift64*: small, fast, the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_((seed + 1) * 0x9E3779B97F4A7C15ULL) { next(); }

  std::uint32_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::uint32_t>((state_ * 0x2545F4914F6CDD1DULL) >> 32);
  }
  /// 0 .. bound - 1
  std::uint32_t below(std::uint32_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

/// What one launch is run with. Four seeds in a row differ in kind, seeds beyond them in detail.
struct Policy {
  enum class Pick { first, last, random };
  enum class Landing { at_once, at_random, when_all_wait };

  Pick pick =
      Pick::first;  ///< which of the warps that could run: the longest waiting, the latest, any
  bool lanes_descend = false;
  bool lanes_rotate = false;
  Landing landing = Landing::when_all_wait;
  /// One block (or one warp, where there is a single block) runs only when no other can.
  bool starves = false;
  /// Sends, copies and releases let others go first now and then.
  bool interrupts = false;
  bool groups_descend = false;
  unsigned clusters_together = 1;
};

inline Policy policy_of(std::uint64_t seed) {
  Policy policy;
  switch (seed % 4) {
    case 0:
      break;
    case 1:
      policy.pick = Policy::Pick::last;
      policy.lanes_descend = true;
      policy.starves = true;
      policy.groups_descend = true;
      break;
    case 2:
      policy.pick = Policy::Pick::random;
      policy.lanes_rotate = true;
      policy.landing = Policy::Landing::at_random;
      policy.interrupts = true;
      policy.clusters_together = 2;
      break;
    default:
      policy.pick = Policy::Pick::last;
      policy.landing = Policy::Landing::at_once;
      policy.starves = true;
      policy.interrupts = true;
      policy.clusters_together = 2;
      break;
  }
  return policy;
}

}  // namespace papo::shim
