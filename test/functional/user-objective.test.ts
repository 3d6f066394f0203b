/** An objective of a user's own, in pointwise arithmetic over statistics, is papoLoss in value and gradients. */
import test from "ava";
import { backward } from "../../lib/autograd/grad.js";
import { papoLoss } from "../../lib/functional/papo-loss.js";
import { type ReduceTokensOptions, reduceTokens } from "../../lib/functional/reduce.js";
import { tokenStats } from "../../lib/functional/token-stats.js";
import { add, clamp, exp, max, min, mul, neg, sub, where } from "../../lib/ops/pointwise.js";
import { tensor } from "../../lib/tensor/create.js";
import type { Rows, Scalar } from "../../lib/tensor/tensor.js";
import { type EngineBatch, elementsOf, engineBatch } from "../ops/engine-batch.js";
import { assertClose } from "../support/close.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";

const SHAPE = { shape: [3, 4] } as const;

/** k3 with its limits, written out. */
function k3(x: Rows): Rows {
  const limited = clamp(x, -20, 20);
  return clamp(sub(sub(exp(limited), 1), limited), -10, 10);
}

/** The authors' PAPO_G with dual clip, reference KL and double entropy, by hand. */
function byHand({ logits, maskedLogits, tokenIds, responseMask, reference }: EngineBatch): Scalar {
  const { logProbs, maskedLogProbs } = tokenStats({ logits, maskedLogits, tokenIds, responseMask });
  const old = tensor(reference.oldLogProbs);
  const advantages = tensor(reference.advantages);
  const ratio = exp(clamp(sub(logProbs, old), -20, 20));
  const clipped = clamp(ratio, 1 - 0.2, 1 + 0.3);
  const ppo = max(neg(mul(advantages, ratio)), neg(mul(advantages, clipped)));
  const negative = reference.advantages.map((advantage) => +(advantage < 0));
  const surrogate = where(negative, min(ppo, mul(advantages, -3)), ppo);
  const refKl = k3(sub(tensor(reference.refLogProbs), logProbs));
  const perceptionKl = k3(sub(maskedLogProbs, logProbs));
  const token = add(surrogate, sub(mul(refKl, 0.01), mul(perceptionKl, 0.02)));
  const entropies = add(mul(neg(logProbs), 0.05), mul(neg(maskedLogProbs), 0.05));
  const options: ReduceTokensOptions & { reduction: "seq-mean-token-mean" } = {
    ...SHAPE,
    responseMask,
    reduction: "seq-mean-token-mean",
  };
  return add(reduceTokens(token, options), reduceTokens(entropies, { ...SHAPE, responseMask }));
}

function fused({ logits, maskedLogits, tokenIds, responseMask, reference }: EngineBatch): Scalar {
  const { oldLogProbs, refLogProbs, advantages } = reference;
  return papoLoss({
    ...{ logits, maskedLogits, tokenIds, responseMask, oldLogProbs, refLogProbs, advantages },
    ...{
      cuSeqlens: [0, 4, 8, 12],
      reduction: "seq-mean-token-mean",
      maskedBranch: "differentiable",
    },
    ...{ clipHigh: 0.3, clipDual: 3, refKlCoef: 0.01, perceptionKlCoef: 0.02 },
    ...{ entropyCoef: 0.05, maskedEntropyCoef: 0.05 },
  });
}

for (const distribution of ["plain", "far", "peaked"] as const) {
  test(`PAPO_G by hand is papoLoss on ${distribution} logits, in value and both gradients`, (t) => {
    const options = { distribution, vocabSize: 40 };
    const [own, native] = [engineBatch(options), engineBatch(options)];
    for (const { logits, maskedLogits } of [own, native]) {
      logits.requiresGrad = true;
      maskedLogits.requiresGrad = true;
    }
    const [mine, theirs] = [byHand(own), fused(native)];
    assertClose(t, "loss", mine.item(), theirs.item(), TOLERANCES.engineRows);
    backward(mine);
    backward(theirs);
    for (const name of ["logits", "maskedLogits"] as const) {
      const [actual, expected] = [own[name].grad, native[name].grad].map((g) => g && elementsOf(g));
      assertClose(
        t,
        name,
        actual as Float32Array,
        expected as Float32Array,
        GRADIENT_TOLERANCES.float32,
      );
    }
  });
}
