/** Well-typed input of any form: statistics, loss and gradients are those of the float64 reference. */
import * as papo from "../../lib/index.js";
import { STATISTICS } from "../../lib/ops/lines.js";
import * as reference from "../../lib/reference/index.js";
import { elementsOf, engineBatch, LOGITS_DTYPES } from "../ops/engine-batch.js";
import { compare } from "../support/close.js";
import { DISTRIBUTIONS, Random } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES, type Tolerance } from "../support/tolerances.js";

/** Around the lengths of vectors, groups and blocks. */
const VOCABS = [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 255, 1023, 1024, 1025, 2050];
const ESTIMATORS = ["k1", "k2", "k3", "abs"] as const;
const WORDS = {
  reduction: ["token-mean", "seq-mean-token-mean", "seq-mean-token-sum", "sum"],
  refKlEstimator: ESTIMATORS,
  perceptionKlEstimator: [...ESTIMATORS, "exact", "exact-reverse"],
  entropyEstimator: ["sampled", "exact"],
  maskedBranch: ["constant", "differentiable"],
} as const;

/** Compares one batch; the same seed is the same batch. Throws where a quantity is off, and names the seed. */
export function agree(seed: number): void {
  const random = new Random(seed);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  const sequences = 1 + random.below(4);
  const tokens = 1 + random.below(4);
  const vocabSize = pick(VOCABS);
  const dtype = pick(LOGITS_DTYPES);
  const rowPitch = vocabSize + pick([0, 0, 1, 3, 16]);
  const distribution = pick(DISTRIBUTIONS);
  const form = { seed, sequences, tokens, vocabSize, rowPitch, distribution };
  const batch = engineBatch(form, dtype);
  const close = (name: string, actual: unknown, expected: unknown, tolerance: Tolerance) => {
    const { ok, message } = compare(name, actual as number[], expected as number[], tolerance);
    if (!ok) throw new Error(`seed ${seed} (${JSON.stringify({ ...form, dtype })}): ${message}`);
  };

  const { logits, maskedLogits, tokenIds, responseMask } = batch;
  const statistics = papo.tokenStats({ logits, maskedLogits, tokenIds, responseMask });
  const expected = reference.tokenStats(batch.reference);
  for (const name of STATISTICS) {
    if (!(name in statistics)) continue;
    const { data } = statistics[name as "kl"];
    close(name, data, expected[name], TOLERANCES.engineStates);
  }

  const coefficient = () => pick([0, 0.01, 0.1]);
  const cuSeqlens = Array.from({ length: sequences + 1 }, (_, s) => s * tokens);
  const objective = {
    ...(Object.fromEntries(
      Object.entries(WORDS).map(([name, words]) => [name, pick(words as readonly string[])]),
    ) as { [K in keyof typeof WORDS]: (typeof WORDS)[K][number] }),
    clipHigh: pick([0.2, 0.28]),
    ...pick([{}, { clipDual: 3 }]),
    refKlCoef: coefficient(),
    perceptionKlCoef: coefficient(),
    entropyCoef: coefficient(),
    maskedEntropyCoef: coefficient(),
  };
  const { oldLogProbs, refLogProbs, advantages } = batch.reference;
  const data = { oldLogProbs, refLogProbs, advantages, cuSeqlens, ...objective };
  for (const input of [logits, maskedLogits]) input.requiresGrad = true;
  const loss = papo.papoLoss({ logits, maskedLogits, tokenIds, responseMask, ...data });
  papo.backward(loss);
  const wanted = reference.papoLoss({ ...batch.reference, ...data } as never);
  close("loss", [loss.item()], [wanted.loss], TOLERANCES.golden);
  const closeGrad = (name: string, { grad }: papo.Tensor, expected: ArrayLike<number> = []) => {
    if (grad === undefined) return;
    const stored = dtype === "float16" ? Array.from(expected, inFloat16Range) : expected;
    close(name, elementsOf(grad), stored, GRADIENT_TOLERANCES[dtype]);
  };
  if (logits.grad === undefined) throw new Error(`seed ${seed}: no gradient`);
  closeGrad("gradLogits", logits, wanted.gradLogits);
  closeGrad("gradMaskedLogits", maskedLogits, wanted.gradMaskedLogits);
}

/** What rounds to more than 65 504, the largest float16, is an infinity there. */
function inFloat16Range(value: number): number {
  return Math.abs(value) < 65_520 ? value : Math.sign(value) * Infinity;
}
