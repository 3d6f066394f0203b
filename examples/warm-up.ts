/** A short supervised start, so that the policy speaks the language of the answers: PAPO too starts from a tuned model. */
import type * as tf from "@tensorflow/tfjs-core";
import { neg, reduceTokens, selectiveLogSoftmax, type Tensor, valueAndGrad } from "../lib/index.js";
import type { Policy } from "./policy.js";
import { promptsOf, tokenRows } from "./rollouts.js";
import { externalLoss } from "./tfjs-loss.js";
import type { Problem } from "./world.js";

/** One step on demonstrations (cross-entropy of the right answers); gives the loss in nats per answer. */
export function warmUpStep(
  policy: Policy,
  optimizer: tf.Optimizer,
  problems: readonly Problem[],
): number {
  const answers = problems.map(({ answer }) => answer);
  const { tokenIds, responseMask } = tokenRows(answers);
  const crossEntropy = valueAndGrad((logits: Tensor<"float32", 3>) => {
    const logProbs = selectiveLogSoftmax({ logits, tokenIds, responseMask });
    return neg(reduceTokens(logProbs, { reduction: "sum", responseMask }));
  });
  const loss = optimizer.minimize(() => {
    const logits = policy.logits(promptsOf(problems), answers);
    return externalLoss([logits], problems.length, (seen) => {
      const [value, gradients] = crossEntropy(seen);
      return { loss: value.data[0] as number, gradients };
    });
  }, true);
  const nats = (loss?.dataSync()[0] as number) / problems.length;
  loss?.dispose();
  return nats;
}
