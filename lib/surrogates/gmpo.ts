/** GMPO: the geometric mean of the tokens' clipped ratios. */
import { eachSequence, logRatioOf, sumOfLogRatios, sumOver, withoutRuledOut } from "./sequence.js";
import { CLIP, limited, type SurrogateDefinition, weighted, zeroResult } from "./surrogate.js";

export const gmpo: SurrogateDefinition<object, "gmpo"> = {
  kind: "gmpo",
  aliases: ["geo-mean"],
  summary: "Geometric mean of token ratios that are clipped one by one, in log space",
  formula:
    "−Ā·exp(mean of δ), δ = min(Δ, clipHigh) for A > 0 and max(Δ, −clipLow) for A < 0, Δ = ℓ − ℓ_old; Ā the sequence's mean advantage",
  gradient: "−Ā·exp(mean of δ)/n on each of the n tokens whose δ is Δ, 0 on the others",
  source: "Geometric-Mean Policy Optimization, arXiv 2507.20673; clip 0.4 on both sides there",
  peers: [
    'verl: policy_loss.loss_mode "geo_mean" (core_algos.py:1635)',
    "TRL: the experimental GMPOTrainer (epsilon 0.4)",
  ],
  findings: [
    "clipLow and clipHigh are bounds on the log-ratio here: 0.4 lets ratios from e^−0.4 to e^0.4 through.",
    "verl takes a plain mean over the rows of the micro-batch: no denominator of the whole batch, and empty rows count (core_algos.py:1680-1712). That is seq-mean-token-mean here.",
    "Weights of tokens (importance weights of the sampler) add up over a sequence here; verl multiplies by their geometric mean.",
    "verl has no limit on the log-ratio; a token far below the old policy makes its sequence's ratio 0 all the same.",
  ],
  scope: "sequence",
  parameters: {},
  clips: ["clipLow", "clipHigh"],
  reads: ["oldLogProbs"],
  evaluate(tokens) {
    const { advantages, weights, clip, logRatioLimit } = tokens;
    const result = zeroResult(tokens.logProbs.length);
    const { values, slopes, ratios, clips } = result;
    const clippedLogRatio = (row: number): number => {
      const advantage = advantages[row] as number;
      if (advantage === 0) return 0;
      const log = logRatioOf(tokens, row);
      if (advantage > 0 && log > clip.high) clips[row] = CLIP.high;
      if (advantage < 0 && log < -clip.low) clips[row] = CLIP.low;
      return advantage > 0 ? Math.min(log, clip.high) : Math.max(log, -clip.low);
    };
    eachSequence(tokens, (rows) => {
      const log = limited(sumOfLogRatios(rows, clippedLogRatio) / rows.length, logRatioLimit);
      const advantage = sumOver(rows, (row) => advantages[row] as number) / rows.length;
      const ratio = Math.exp(log.value);
      const value = advantage === 0 ? 0 : -advantage * ratio;
      const weight = sumOver(rows, (row) => weights[row] as number);
      const slope = log.free ? weighted(weight, value / rows.length) : 0;
      for (const row of rows) {
        values[row] = value;
        ratios[row] = ratio;
        slopes[row] = clips[row] === CLIP.none && advantages[row] !== 0 ? slope : 0;
      }
    });
    return withoutRuledOut(tokens, result);
  },
};
