/** Clip-Cov: a few tokens of high covariance, drawn at random, get no gradient. */
import { clipped } from "./clip.js";
import { covariances, shareOf } from "./covariance.js";
import { CLIP, type SurrogateDefinition } from "./surrogate.js";

export type ClipCovParameters = {
  /** Drawn tokens per counted token; at least one is drawn. */
  readonly fraction: number;
  /** Candidates have a covariance above this. */
  readonly lower: number;
  /** Candidates have a covariance below this. */
  readonly upper: number;
};

export const clipCov: SurrogateDefinition<ClipCovParameters, "clip-cov"> = {
  kind: "clip-cov",
  summary:
    "PPO's clip, and no gradient on a few random tokens of high covariance: keeps entropy up",
  formula:
    "ppo-clip's, × 0 on at most max(1, ⌊fraction·tokens⌋) tokens drawn from those with lower < cov < upper that the clip leaves alone; cov = (A − mean A)(ℓ − mean ℓ)",
  gradient: "ppo-clip's, 0 on the drawn tokens",
  source:
    "The Entropy Mechanism of RL, arXiv 2505.22617, Clip-Cov; numbers of its scripts (verl recipe/entropy)",
  peers: [
    'verl: policy_loss.loss_mode "clip_cov" (clip_cov_ratio, clip_cov_lb, clip_cov_ub; core_algos.py:1450)',
    "PRIME-RL/Entropy-Mechanism-of-RL, from which verl's was taken",
  ],
  findings: [
    "verl draws from torch's unseeded global generator: runs do not repeat. Here the evaluation's seed decides.",
    "Means and the count of tokens are those of one call, in verl of one micro-batch: other splits draw other tokens.",
    "The authors' scripts set both clip ratios to 1, so that PPO's clip hardly acts beside it (their issue 16).",
    "verl has no dual clip here; with clipDual 0 neither has this.",
  ],
  scope: "batch",
  draws: true,
  parameters: {
    fraction: {
      default: 2e-4,
      meaning: "drawn tokens per counted token; at least one",
      above: 0,
      max: 1,
    },
    lower: { default: 1, meaning: "candidates have a covariance above this" },
    upper: { default: 5, meaning: "candidates have a covariance below this" },
  },
  clips: ["clipLow", "clipHigh", "clipDual"],
  reads: ["oldLogProbs"],
  evaluate(tokens, { fraction, lower, upper }) {
    const result = clipped(tokens, tokens.logProbs, tokens.oldLogProbs);
    const { count, products } = covariances(tokens);
    const candidates: number[] = [];
    products.forEach((product, row) => {
      const left = result.clips[row] === CLIP.none;
      if (left && product > lower && product < upper) candidates.push(row);
    });
    for (const row of drawn(candidates, shareOf(fraction, count), tokens.random)) {
      result.values[row] = 0;
      result.slopes[row] = 0;
      result.clips[row] = CLIP.dropped;
    }
    return result;
  },
};

/** At most `most` of `rows`, uniformly and without replacement; reorders them. */
function drawn(rows: number[], most: number, random: () => number): readonly number[] {
  // One draw in any case: a missing seed shows on the first batch, not on the first that leaves a choice.
  let uniform = random();
  if (rows.length <= most) return rows;
  for (let i = 0; i < most; i++) {
    const j = i + Math.floor(uniform * (rows.length - i));
    const [here, there] = [rows[i] as number, rows[j] as number];
    rows[i] = there;
    rows[j] = here;
    uniform = random();
  }
  return rows.slice(0, most);
}
