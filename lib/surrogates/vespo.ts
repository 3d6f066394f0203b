/** VESPO: a smooth weight of the whole sequence's importance ratio, on the log-prob. */
import { eachSequence, sumOver } from "./sequence.js";
import {
  CLIP,
  logRatio,
  type SurrogateDefinition,
  type SurrogateTokens,
  tokenwise,
  weightedLogProb,
} from "./surrogate.js";

export type VespoParameters = {
  /** k of tokens with A ≥ 0: how fast w < 1 fades. */
  readonly powerPositive: number;
  /** λ of tokens with A ≥ 0: how fast w > 1 fades. */
  readonly decayPositive: number;
  /** k of tokens with A < 0. */
  readonly powerNegative: number;
  /** λ of tokens with A < 0. */
  readonly decayNegative: number;
};

/** The smallest sequence ratio that is told from 0. */
const SMALLEST_LOG_WEIGHT = Math.log(1e-8);

export const vespo: SurrogateDefinition<VespoParameters, "vespo"> = {
  kind: "vespo",
  summary: "Smooth weight of the sequence's whole ratio on the log-prob: largest near 1, no kink",
  formula:
    "−sg[φ(w)]·A·ℓ, φ(w) = e^λ·w^k·e^(−λw), w = exp(Σ of ℓ − ℓ_old over the sequence) within [1e-8, e^logRatioLimit]; (k, λ) by the sign of A",
  gradient: "−φ(w)·A, everywhere",
  source: "VESPO, arXiv 2602.10693 v3, Eq. 20; k and λ of §4.1; bounds of w as TRL has them",
  peers: [
    'TRL: loss_type "vespo" (vespo_k_pos, vespo_lambda_pos, vespo_k_neg, vespo_lambda_neg; grpo_trainer.py:2943-2989)',
    'Liger: loss_type "vespo", the same names',
  ],
  findings: [
    "w is the ratio of the whole sequence, a sum of log-ratios: it leaves the region where φ is not 0 within a few nats, so long sequences drop out first.",
    "TRL and Liger multiply the sampler's correction into w without the response mask: padding and tool tokens count. Here it is a weight of the token like any other.",
    "TRL and Liger floor λ at 1e-4; here it is refused below that.",
  ],
  scope: "sequence",
  // The largest values keep φ finite whatever w is.
  parameters: {
    powerPositive: {
      default: 2,
      meaning: "k of tokens with A ≥ 0: how fast w < 1 fades",
      min: 0,
      max: 20,
    },
    decayPositive: {
      default: 3,
      meaning: "λ of tokens with A ≥ 0: how fast w > 1 fades",
      min: 1e-4,
      max: 100,
    },
    powerNegative: { default: 3, meaning: "k of tokens with A < 0", min: 0, max: 20 },
    decayNegative: { default: 2, meaning: "λ of tokens with A < 0", min: 1e-4, max: 100 },
  },
  clips: [],
  reads: ["oldLogProbs"],
  evaluate(tokens, { powerPositive, decayPositive, powerNegative, decayNegative }) {
    const { logs, bounds } = sequenceLogWeights(tokens);
    const result = tokenwise(tokens, (token) => {
      const log = logs[token.row] as number;
      const [k, decay] =
        token.advantage < 0 ? [powerNegative, decayNegative] : [powerPositive, decayPositive];
      const weight = Math.exp(decay + k * log - decay * Math.exp(log));
      return weightedLogProb(weight, token, bounds[token.row]);
    });
    for (let row = 0; row < logs.length; row++) {
      if (tokens.mask?.[row] !== 0) result.ratios[row] = Math.exp(logs[row] as number);
    }
    return result;
  },
};

/** log w of its sequence on each counted row, and which of its bounds held it; both [rows]. */
function sequenceLogWeights(tokens: SurrogateTokens) {
  const { logProbs, oldLogProbs, logRatioLimit } = tokens;
  const logs = new Float64Array(logProbs.length);
  const bounds = new Float64Array(logProbs.length);
  const ofToken = (row: number) =>
    logRatio(logProbs[row] as number, oldLogProbs[row] as number, logRatioLimit).value;
  eachSequence(tokens, (rows) => {
    const sum = sumOver(rows, ofToken);
    const log = Math.min(Math.max(sum, SMALLEST_LOG_WEIGHT), logRatioLimit);
    const bound = sum < log ? CLIP.low : sum > log ? CLIP.high : CLIP.none;
    for (const row of rows) {
      logs[row] = log;
      bounds[row] = bound;
    }
  });
  return { logs, bounds };
}
