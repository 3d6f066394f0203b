/** The loss as two tight loops in plain TypeScript: what one writes without a library, for speed. Float64, gradients float32. */
import { objectiveOfStatistics } from "../../lib/reference/index.js";
import { type Batch, OBJECTIVE } from "../cases.js";
import type { Evaluation, Peer, Results, Setting } from "./contender.js";

export const PLAIN_LOOP: Peer = {
  name: "plain-loop",
  label: "plain TypeScript, a loop",
  operations: ["forward", "gradients"],
  threads: "one",
  largest: () => ({ logits: 64 * 151_936, reason: "its time" }),
  absent: async () => undefined,
  version: async () => process.version,
  setUp,
};

function setUp(batch: Batch, { operation }: Setting): Evaluation {
  const { rows, vocab, logits, maskedLogits, tokenIds } = batch;
  const column = () => new Float64Array(rows);
  const statistics = {
    logProbs: column(),
    entropy: column(),
    maskedEntropy: column(),
    kl: column(),
  };
  const [logSums, maskedLogSums] = [column(), column()];
  const [gradLogits, gradMaskedLogits] = Array.from({ length: 2 }, () =>
    new Float32Array(operation === "gradients" ? rows * vocab : 0).fill(1),
  ) as [Float32Array, Float32Array];
  let loss = 0;

  function forward() {
    for (let row = 0; row < rows; row++) {
      const [start, end] = [row * vocab, (row + 1) * vocab];
      let [most, maskedMost] = [-Infinity, -Infinity];
      for (let v = start; v < end; v++) {
        most = Math.max(most, logits[v] as number);
        maskedMost = Math.max(maskedMost, maskedLogits[v] as number);
      }
      // Σ e^t, Σ e^t·t and Σ e^t·(difference of both t): every statistic follows from them.
      let [sum, maskedSum, moment, maskedMoment, cross] = [0, 0, 0, 0, 0];
      for (let v = start; v < end; v++) {
        const t = (logits[v] as number) - most;
        const u = (maskedLogits[v] as number) - maskedMost;
        const [p, q] = [Math.exp(t), Math.exp(u)];
        sum += p;
        maskedSum += q;
        moment += p * t;
        maskedMoment += q * u;
        cross += p * (t - u);
      }
      const [log, maskedLog] = [Math.log(sum), Math.log(maskedSum)];
      logSums[row] = most + log;
      maskedLogSums[row] = maskedMost + maskedLog;
      const chosen = logits[start + (tokenIds[row] as number)] as number;
      statistics.logProbs[row] = chosen - most - log;
      statistics.entropy[row] = log - moment / sum;
      statistics.maskedEntropy[row] = maskedLog - maskedMoment / maskedSum;
      statistics.kl[row] = cross / sum - log + maskedLog;
    }
    const objective = objectiveOfStatistics({ ...batch, ...OBJECTIVE, statistics });
    loss = objective.loss;
    return objective.cotangents;
  }

  function gradients() {
    const slopes = forward();
    for (let row = 0; row < rows; row++) {
      const start = row * vocab;
      const of = (values: ArrayLike<number>) => values[row] as number;
      const [log, maskedLog] = [of(logSums), of(maskedLogSums)];
      const [chosen, k] = [of(slopes.logProbs), of(slopes.kl)];
      const [h, maskedH] = [of(slopes.entropy), of(slopes.maskedEntropy)];
      const level = chosen + k * of(statistics.kl) + h * of(statistics.entropy);
      const maskedLevel = maskedH * of(statistics.maskedEntropy);
      for (let v = start; v < start + vocab; v++) {
        const t = (logits[v] as number) - log;
        const u = (maskedLogits[v] as number) - maskedLog;
        const [p, q] = [Math.exp(t), Math.exp(u)];
        gradLogits[v] = p * (k * (t - u) - h * t - level);
        gradMaskedLogits[v] = k * (q - p) - q * (maskedH * u + maskedLevel);
      }
      const at = start + (tokenIds[row] as number);
      gradLogits[at] = (gradLogits[at] as number) + chosen;
    }
  }

  return {
    run: () => void (operation === "gradients" ? gradients() : forward()),
    results(): Results {
      const { logProbs, entropy, kl } = statistics;
      const forwardResults = { loss, logProbs, entropy, kl };
      if (operation === "forward") return forwardResults;
      return { ...forwardResults, gradLogits, gradMaskedLogits };
    },
    freshOutputBytes: 0,
  };
}
