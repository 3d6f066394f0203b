/** One objective after the other: any surrogate in the place of PPO's clip, and one of a user's own. */
import type { Evaluation as LossEvaluation } from "../../lib/index.js";
import { OBJECTIVE } from "../cases.js";
import { papo } from "./built.js";
import type { Evaluation, OwnSetUp } from "./contender.js";
import { fusedCall, setUpWritten, type WrittenLoss } from "./papo.js";

/** The objective of all cases with that surrogate, by the composed plan whether or not another one is known. */
export function setUpSurrogate(kind: string): OwnSetUp {
  return (batch, setting) => {
    const call = fusedCall(batch, setting);
    const objective = papo.objective({ ...OBJECTIVE, surrogate: kind }).build();
    const options = { ...call.options, plan: "composed", seed: 1 } as const;
    let last: LossEvaluation | undefined;
    const evaluation: Evaluation = {
      run() {
        last = objective.evaluate(call.batch, options);
      },
      results: () => call.results(last as LossEvaluation),
      freshOutputBytes: 0,
    };
    return kind === "ppo-clip" ? evaluation : statisticsOnly(evaluation);
  };
}

/** The objective of docs/custom-objective.md, with the other terms of the cases. */
export const setUpCustom: OwnSetUp = (batch, setting) =>
  statisticsOnly(setUpWritten(spo, batch, setting));

const spo: WrittenLoss = (logits, maskedLogits, batch) => {
  const { add, div, exp, max, mul, neg, reduceTokens, sub, tensor, tokenKl, tokenStats } = papo;
  const advantages = tensor(batch.advantages);
  const statistics = tokenStats({ logits, maskedLogits, tokenIds: batch.tokenIds });
  const { logProbs, kl, entropy, maskedEntropy } = statistics;
  const ratio = exp(sub(logProbs, tensor(batch.oldLogProbs)));
  const away = sub(ratio, 1);
  const penalty = mul(mul(away, away), div(max(advantages, neg(advantages)), 2 * 0.2));
  const refKl = tokenKl({ logProbs, otherLogProbs: batch.refLogProbs, estimator: "k3" });
  const kls = sub(mul(refKl, OBJECTIVE.refKlCoef), mul(kl, OBJECTIVE.perceptionKlCoef));
  const entropies = mul(add(entropy, maskedEntropy), OBJECTIVE.entropyCoef);
  const token = add(sub(penalty, mul(ratio, advantages)), add(kls, entropies));
  return [reduceTokens(token, { reduction: OBJECTIVE.reduction }), statistics];
};

/** The float64 comparison knows one loss only; statistics are those of every loss. */
function statisticsOnly(evaluation: Evaluation): Evaluation {
  return {
    ...evaluation,
    async results() {
      const { logProbs, entropy, kl } = await evaluation.results();
      return {
        ...(logProbs && { logProbs }),
        ...(entropy && { entropy }),
        ...(kl && { kl }),
      };
    },
  };
}
