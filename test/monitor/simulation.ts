/** Metrics of runs that never were: healthy ones with the noise of training, and collapses of the paper's shape. */
import type { MonitorStep } from "../../lib/monitor/index.js";

/** Uniform numbers in (0, 1) from a seed (mulberry32). */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return (((bits ^ (bits >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
}

/** How the learning rate goes: clips are in proportion to it, and what is learned is learned at its pace. */
export const REGIMES = ["constant", "warm-up and cosine", "step"] as const;
export type Regime = (typeof REGIMES)[number];

function rateAt(regime: Regime, step: number, steps: number): number {
  if (regime === "constant") return 1;
  if (regime === "step") return step < steps / 2 ? 1 : 0.1;
  return step < 40 ? (step + 1) / 40 : (1 + Math.cos((Math.PI * step) / steps)) / 2;
}

export interface Simulation {
  readonly seed: number;
  readonly steps: number;
  readonly regime?: Regime;
  /** Standard deviation of the log of a metric from step to step; 1 = that of the base case. */
  readonly noise?: number;
  /** Probability that a metric of a step is 20 times what it should be. */
  readonly outliers?: number;
  /** A collapse: first step, and steps until everything is where the paper's curves end. */
  readonly collapse?: { readonly onset: number; readonly duration: number };
}

const TOKENS = 30_000;

/**
 * Steps of a run. Healthy levels and where a collapse takes them are those of the paper's figures (arXiv 2507.06448
 * v5, §5): perception KL 0.04 → 0.9, clip fraction 0.0005 → 0.0075, entropy 0.2 → 0.4, masked entropy 0.4 → 1.5,
 * variance of the KL 1.5 → 12.5; the reward falls when four fifths of it are over. In between all grow
 * exponentially. Noise is log-normal with a correlation of 0.5 from step to step; the KL and its variance share half of
 * theirs; clips are counted among 30 000 tokens. Health is not flat: the KL doubles as the policy learns to look, and
 * entropies fall slowly.
 */
export function simulate(options: Simulation): Required<MonitorStep>[] {
  const { seed, steps, regime = "constant", noise = 1, outliers = 0, collapse } = options;
  const uniform = uniforms(seed);
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const wander = () => {
    let state = normal();
    return () => {
      state = 0.5 * state + Math.sqrt(0.75) * normal();
      return state;
    };
  };
  const [ofKl, ofVariance, ofClips, ofEntropy, ofMasked] = Array.from({ length: 5 }, wander);
  let learned = 0;
  return Array.from({ length: steps }, (_, step) => {
    const rate = rateAt(regime, step, steps);
    learned += rate;
    const share = learned / (learned + 100);
    const done = collapse
      ? Math.min(Math.max((step - collapse.onset) / collapse.duration, 0), 1)
      : 0;
    const shape = (from: number, to: number, deviation: number, draw: number) =>
      from * (to / from) ** done * Math.exp(noise * deviation * draw);
    const wild = () => (uniform() < outliers ? 20 : 1);
    const both = ofKl?.() ?? 0;
    const clipRate = rate * shape(0.0005, 0.0075, 0.5, ofClips?.() ?? 0);
    const clips = poisson(TOKENS * Math.min(clipRate * wild(), 1), uniform, normal);
    const reward = 0.4 + 0.3 * share - 0.4 * Math.max(done - 0.8, 0) * 5 + 0.03 * noise * normal();
    return {
      step,
      reward,
      coefficients: {},
      metrics: {
        tokens: TOKENS,
        perceptionKl: shape(0.025 + 0.025 * share, 0.9, 0.3, both) * wild(),
        perceptionKlVariance:
          shape(1.5, 12.5, 0.5, (both + (ofVariance?.() ?? 0)) / Math.SQRT2) * wild(),
        clipFraction: clips / TOKENS,
        entropy: shape(0.25 - 0.05 * share, 0.4, 0.2, ofEntropy?.() ?? 0) * wild(),
        maskedEntropy: shape(0.5 - 0.1 * share, 1.5, 0.3, ofMasked?.() ?? 0) * wild(),
      },
    };
  });
}

function poisson(mean: number, uniform: () => number, normal: () => number): number {
  if (mean > 50) return Math.max(Math.round(mean + Math.sqrt(mean) * normal()), 0);
  let [count, product] = [0, uniform()];
  const least = Math.exp(-mean);
  while (product > least) {
    product *= uniform();
    count++;
  }
  return count;
}
