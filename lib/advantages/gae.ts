/** GAE: exponentially weighted temporal differences against a value function. */
import { allocate } from "../core/dtype.js";
import type { AdvantageDefinition } from "./definition.js";
import { GAMMA } from "./reinforce.js";
import { WHITENING_PARAMETERS, type Whitening, whiten } from "./statistics.js";

export interface GaeParameters extends Whitening {
  /** Discount per token. */
  readonly gamma: number;
  /** Weight of later temporal differences, 0 to 1. */
  readonly lambda: number;
  /** Whether advantages are whitened over the counted tokens. */
  readonly whiten: boolean;
}

export const GAE: AdvantageDefinition<GaeParameters> = {
  kind: "gae",
  summary:
    "Generalised advantage estimation over the counted tokens; the value behind the last one is 0.",
  formula:
    "δ_t = r_t + γ V_{t+1} − V_t, A_t = Σ_{l≥0} (γλ)^l δ_{t+l}, then whitened; returns A_t + V_t before that",
  source: "arXiv 1506.02438; PPO, arXiv 1707.06347",
  peers: [
    'verl: adv_estimator "gae" (γ 1, λ 1, whitened)',
    "TRL: PPOTrainer (γ 1, λ 0.95, whitened)",
    'PAPO authors: adv_estimator "gae" (γ 1, λ 1, whitened)',
  ],
  findings: [
    "Masked tokens inside a response (tools) are skipped, as in verl: they are no steps, neither discounted nor valued.",
    "In verl advantages of masked tokens are whatever whitening makes of them; here 0.",
  ],
  level: "token",
  needs: ["tokens", "values"],
  parameters: {
    gamma: GAMMA,
    lambda: { default: 1, range: [0, 1], meaning: "weight of later temporal differences" },
    whiten: { default: true, meaning: "whether advantages are whitened over the counted tokens" },
    ...WHITENING_PARAMETERS,
  },
  estimate(
    { rows, tokens, tokenRewards, values },
    { gamma, lambda, whiten: isWhitened, ...whitening },
  ) {
    const advantages = allocate("float64", rows);
    const returns = allocate("float64", rows);
    const counted = allocate("int32", rows);
    for (const own of tokens) {
      let [next, running] = [0, 0];
      for (let t = own.length - 1; t >= 0; t--) {
        const row = own[t] as number;
        const value = values[row] as number;
        running = (tokenRewards[row] as number) + gamma * next - value + gamma * lambda * running;
        next = value;
        advantages[row] = running;
        returns[row] = running + value;
        counted[row] = 1;
      }
    }
    if (isWhitened) whiten(advantages, counted, whitening);
    return { advantages, returns };
  },
};
