/** PKPO: rewards transformed so that their policy gradient is that of pass@k, or of the best of k. */
import { expected } from "../core/errors.js";
import type { AdvantageDefinition } from "./definition.js";
import { groupwise, type SmallGroups, smallGroupsParameter } from "./groupwise.js";
import { maxWeights } from "./max-at-k.js";

/** Words of `PkpoBaseline`. */
export const PKPO_BASELINES: readonly ["loo-minus-one", "loo", "leave-two-out", "none"] = [
  "loo-minus-one",
  "loo",
  "leave-two-out",
  "none",
];
/** What is subtracted from a transformed reward in PKPO (arXiv 2505.15201). */
export type PkpoBaseline = (typeof PKPO_BASELINES)[number];

export interface PkpoParameters {
  /** Answers of which the best counts. */
  readonly k: number;
  /** What is subtracted from a transformed reward. */
  readonly baseline: PkpoBaseline;
  /** How the loss joins a group's sequences: by a sum (the paper), or by a mean. */
  readonly scale: "sum" | "mean";
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const PKPO: AdvantageDefinition<PkpoParameters> = {
  kind: "pkpo",
  summary:
    "Unbiased reward transformation for pass@k (binary rewards) and max_g@k (any rewards), 1 ≤ k ≤ n.",
  formula:
    "s_i = Σ_{|I|=k, I∋i} max_I R / C(n, k); loo: s_i − (k / (n−1)) maxAtK(R without i, k); loo-minus-one: s_i − (k / n) maxAtK(R without i, k−1) = (k / n) mean over J (|J|=k−1, i∉J) of max(0, R_i − max_J R); leave-two-out: s_i − (k / n) maxAtK(R without i, k) = (k / n) mean over j≠i and J (|J|=k−1, i,j∉J) of max_{J∪i} R − max_{J∪j} R",
  source:
    "Pass@K Policy Optimization, arXiv 2505.15201 (s: Eq. 19, loo: 29, loo-minus-one: 33); leave-two-out after arXiv 2606.06080",
  peers: [],
  findings: [
    'The sum of s_i ∇log π over the group estimates the gradient of max_g@k; scale "mean" multiplies by n, for losses that average over sequences.',
    "loo is not centred: n equal rewards c get −k c / (n (n − 1)). loo-minus-one and leave-two-out give them 0.",
    'leave-two-out is loo with its baseline times (n − 1) / n: its advantages sum to 0 in every group, and at k 1 with scale "mean" it is RLOO, so that k may be annealed down to 1.',
    "loo-minus-one is never negative: it pushes no answer down except by normalisation of the policy.",
  ],
  level: "sequence",
  needs: ["groups"],
  parameters: {
    k: {
      default: 2,
      range: [1, Number.MAX_SAFE_INTEGER],
      whole: true,
      meaning: "answers of which the best counts",
    },
    baseline: {
      default: "loo-minus-one",
      words: PKPO_BASELINES,
      meaning:
        "leave-one-out baseline over sets of k − 1 (least variance), over sets of k, or none",
    },
    scale: {
      default: "sum",
      words: ["sum", "mean"],
      meaning:
        "how the loss joins a group's sequences: by a sum (the paper), or by a mean, for which advantages are multiplied by n",
    },
    smallGroups: smallGroupsParameter("error"),
  },
  estimate(batch, { k, baseline, scale, smallGroups }) {
    if (k === 1 && baseline === "loo-minus-one") {
      const what = 'k of at least 2 for baseline "loo-minus-one"';
      throw expected("ERR_RANGE", batch.where, what, "1");
    }
    const isBesideSets = baseline === "loo" || baseline === "leave-two-out";
    const least = Math.max(baseline === "none" ? 1 : 2, isBesideSets ? k + 1 : k);
    const advantages = groupwise(batch, { smallGroups, least }, (rewards) => {
      const order = Int32Array.from(rewards.keys()).sort(
        (a, b) => (rewards[a] as number) - (rewards[b] as number),
      );
      const ascending = Float64Array.from(order, (i) => rewards[i] as number);
      const shares = TRANSFORMATIONS[baseline](ascending, k);
      const factor = scale === "mean" ? rewards.length : 1;
      const own = new Float64Array(rewards.length);
      order.forEach((i, rank) => {
        own[i] = (shares[rank] as number) * factor;
      });
      return own;
    });
    return { advantages };
  },
};

/** Of ascending rewards, by rank. */
const TRANSFORMATIONS: Record<PkpoBaseline, (g: Float64Array, k: number) => Float64Array> = {
  none: shares,
  loo(g, k) {
    const n = g.length;
    const baselines = maximaWithout(g, k);
    return shares(g, k).map((share, i) => share - (k / (n - 1)) * (baselines[i] as number));
  },
  "leave-two-out"(g, k) {
    const n = g.length;
    // A constant changes nothing here; without it equal rewards leave exactly 0.
    const above = g.map((reward) => reward - (g[0] as number));
    const baselines = maximaWithout(above, k);
    return shares(above, k).map((share, i) => share - (k / n) * (baselines[i] as number));
  },
  // What i adds to the best of k − 1 others, by steps from rank to rank: equal rewards add exactly nothing.
  "loo-minus-one"(g, k) {
    const n = g.length;
    const weights = maxWeights(n - 1, k - 1);
    const gains = new Float64Array(n);
    let below = 0;
    for (let i = 1; i < n; i++) {
      below += weights[i - 1] as number;
      gains[i] = (gains[i - 1] as number) + below * ((g[i] as number) - (g[i - 1] as number));
    }
    return gains.map((gain) => (k / n) * gain);
  },
};

/** Σ over the sets of k that hold rank i of their maximum, over C(n, k): i is the maximum itself, or a higher rank is. */
function shares(g: Float64Array, k: number): Float64Array {
  const n = g.length;
  const own = maxWeights(n, k);
  // C(j − 1, k − 2) / C(n, k) at rank j from 0: sets with i and maximum j. Those of n − 1 and k − 1 are over C(n − 1, k − 1).
  const others = k > 1 ? maxWeights(n - 1, k - 1).map((weight) => (weight * k) / n) : [];
  const result = new Float64Array(n);
  let above = 0;
  for (let i = n - 1; i >= 0; i--) {
    result[i] = (own[i] as number) * (g[i] as number) + above;
    if (i > 0) above += (others[i - 1] ?? 0) * (g[i] as number);
  }
  return result;
}

/** maxAtK of the other n − 1 rewards, for each rank. */
function maximaWithout(g: Float64Array, k: number): Float64Array {
  const n = g.length;
  const weights = maxWeights(n - 1, k);
  const result = new Float64Array(n);
  let sum = 0;
  for (let i = 1; i < n; i++) sum += (weights[i - 1] as number) * (g[i] as number);
  result[0] = sum;
  for (let i = 1; i < n; i++) {
    // Rank i − 1 comes in where rank i goes out.
    sum += (weights[i - 1] as number) * ((g[i - 1] as number) - (g[i] as number));
    result[i] = sum;
  }
  return result;
}
