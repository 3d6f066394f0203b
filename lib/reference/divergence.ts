/** Divergences between two policies: the sampled estimators, and the exact ones over the vocabulary. */
import { type Distribution, hasMass } from "./log-softmax.js";

/** Estimators that see only the sampled token. */
export const SAMPLED_KL_ESTIMATORS = ["k1", "k2", "k3", "k3+", "abs", "unbiased", "jsd"] as const;
/** An estimator that sees only the sampled token. */
export type SampledKlEstimator = (typeof SAMPLED_KL_ESTIMATORS)[number];

/** All estimators: `"exact"` is KL(policy ‖ other) over the vocabulary, `"exact-reverse"` KL(other ‖ policy). */
export const KL_ESTIMATORS: readonly [...typeof SAMPLED_KL_ESTIMATORS, "exact", "exact-reverse"] = [
  ...SAMPLED_KL_ESTIMATORS,
  "exact",
  "exact-reverse",
];
/** An estimator of a KL. */
export type KlEstimator = (typeof KL_ESTIMATORS)[number];

/** A difference of two log-probabilities, kept within a limit. */
export interface LimitedDifference {
  /** Nats. */
  readonly value: number;
  /** False where the limit binds: the value is a constant there, so its gradient is 0. */
  readonly free: boolean;
}

/**
 * a − b in nats, limited to ±limit (Infinity: no limit).
 *
 * Equal log-probabilities differ by 0 even where both are −Infinity: two policies that agree that a token
 * is impossible agree. There the difference is not free, since no step brings such a token back.
 */
export function limitedDifference(a: number, b: number, limit: number): LimitedDifference {
  if (a === b) return { value: 0, free: a !== -Infinity };
  const value = a - b;
  if (Math.abs(value) > limit) return { value: Math.sign(value) * limit, free: false };
  return { value, free: true };
}

/** k3(x) = e^x − 1 − x, which is never negative; by its series near 0, where the three terms cancel. */
export function k3(x: number): number {
  if (Math.abs(x) === Infinity) return Infinity;
  if (Math.abs(x) > 0.02) return Math.expm1(x) - x;
  return x * x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720 + x / 5040)))));
}

/**
 * One token's share of the Jensen-Shannon divergence, ½(u·log u − (1 + u)·log((1 + u)/2)) with u = e^x, and its slope in x,
 * ½u·log(2u/(1 + u)).
 *
 * It is 0 at x = 0 and positive elsewhere; ½·log 2 for x → −∞, where the slope goes to 0, and ½·log 2·e^x for large x. Near 0
 * by the series of h·tanh h − log cosh h, h = x/2, of which it is ½(1 + u) times.
 */
export function jensenShannon(x: number): { value: number; slope: number } {
  if (x === -Infinity) return { value: Math.LN2 / 2, slope: 0 };
  if (x === Infinity) return { value: Infinity, slope: Infinity };
  const u = Math.exp(x);
  // log((1 + u)/2), by way of whichever exponential is small.
  const mean = x > 0 ? x + Math.log1p(Math.expm1(-x) / 2) : Math.log1p(Math.expm1(x) / 2);
  const slope = (u * (x - mean)) / 2;
  if (Math.abs(x) > 0.1) return { value: slope - mean / 2, slope };
  const s = (x * x) / 4;
  const series = s * (1 / 2 - s * (1 / 4 - s * (1 / 9 - s * (17 / 360 - (s * 31) / 1575))));
  return { value: ((1 + u) / 2) * series, slope };
}

/** Value of an estimator and its slopes in the two log-probabilities it compares. */
export interface SampledKl {
  /** Nats. */
  readonly value: number;
  /** ∂value/∂(log-prob under the policy). */
  readonly policySlope: number;
  /** ∂value/∂(log-prob under the other model). */
  readonly otherSlope: number;
}

/**
 * One token's estimate of KL(policy ‖ other), tokens sampled from the policy (from its old self for `"unbiased"`).
 *
 * With x = log other − log policy:
 *
 * - `"k1"`        −x; unbiased value, may be negative, expected gradient 0
 * - `"k2"`        x²/2; biased value, right gradient in expectation
 * - `"abs"`       |x|
 * - `"k3"`        e^x − 1 − x; unbiased value, gradient of the reverse KL in expectation
 * - `"k3+"`       the value of k3 with the gradient of k2 (straight-through)
 * - `"unbiased"`  ratio · k3 with the gradient through the ratio too; value and gradient unbiased off-policy
 * - `"jsd"`       ½(u·log u − (1 + u)·log((1 + u)/2)), u = e^x: not of the KL but of the Jensen-Shannon divergence, of which
 *   its value is unbiased, and its gradient in the other model
 *
 * @param x        log-prob under the other model − log-prob under the policy, nats, limited
 * @param logRatio log-prob under the policy − log-prob under the policy that sampled, nats, limited; for `"unbiased"`
 * @param klLimit  bound of |k3| and of jsd in nats; the gradient is 0 beyond it. It does not touch k1, k2 and abs.
 * @see J. Schulman, "Approximating KL Divergence" (2020); Jensen-Shannon: J. Lin (1991), doi 10.1109/18.61115
 */
export function sampledKl(
  estimator: SampledKlEstimator,
  x: LimitedDifference,
  logRatio: LimitedDifference,
  klLimit: number,
): SampledKl {
  const raw = k3(x.value);
  const bounded = Math.min(raw, klLimit);
  const k3Free = x.free && raw <= klLimit;

  switch (estimator) {
    case "k1":
      return inX(0 - x.value, x.free ? -1 : 0);
    case "k2":
      return inX((x.value * x.value) / 2, x.free ? x.value : 0);
    case "abs":
      return inX(Math.abs(x.value), x.free ? Math.sign(x.value) : 0);
    case "k3":
      return inX(bounded, k3Free ? Math.expm1(x.value) : 0);
    case "k3+":
      return inX(bounded, k3Free ? x.value : 0);
    case "jsd": {
      const jsd = jensenShannon(x.value);
      const jsdFree = x.free && jsd.value <= klLimit;
      return inX(Math.min(jsd.value, klLimit), jsdFree ? jsd.slope : 0);
    }
    case "unbiased": {
      const ratio = Math.exp(logRatio.value);
      const throughK3 = k3Free ? ratio * Math.expm1(x.value) : 0;
      const throughRatio = logRatio.free ? ratio * bounded : 0;
      return {
        value: ratio * bounded,
        policySlope: throughRatio - throughK3,
        otherSlope: throughK3,
      };
    }
  }
}

function inX(value: number, slope: number): SampledKl {
  return { value, policySlope: 0 - slope, otherSlope: slope };
}

/** The exact divergences of two distributions over the same vocabulary, in nats. */
export interface ExactKl {
  /** KL(p ‖ q). */
  readonly kl: number;
  /** KL(q ‖ p). */
  readonly reverseKl: number;
}

/**
 * KL(p ‖ q) and KL(q ‖ p), each as the mean of k3 over the vocabulary: Σ p·k3(log q − log p).
 *
 * It is Σ p·(log p − log q) with Σ (q − p) = 0 added, so that no term is negative and two nearly equal
 * distributions do not cancel: a KL of 1e-15 keeps its digits.
 *
 * A token impossible in both contributes 0. A token that q rules out and p does not makes KL(p ‖ q) Infinity.
 */
export function exactKl(p: Distribution, q: Distribution): ExactKl {
  let kl = 0;
  let reverseKl = 0;
  for (let v = 0; v < p.logProbs.length; v++) {
    const logP = p.logProbs[v] as number;
    const logQ = q.logProbs[v] as number;
    const probP = p.probs[v] as number;
    const probQ = q.probs[v] as number;
    if (logP === -Infinity && logQ === -Infinity) continue;
    if (logQ === -Infinity) {
      if (hasMass(p, v)) kl = Infinity;
      reverseKl += probP;
    } else if (logP === -Infinity) {
      if (hasMass(q, v)) reverseKl = Infinity;
      kl += probQ;
    } else {
      kl += termOfKl(probP, probQ, logQ - logP);
      reverseKl += termOfKl(probQ, probP, logP - logQ);
    }
  }
  return { kl, reverseKl };
}

/** p·k3(x), where other = p·e^x; far from 0 by the other probability itself, since e^x may overflow. */
function termOfKl(p: number, other: number, x: number): number {
  return Math.abs(x) < 1 ? p * k3(x) : other - p - p * x;
}
