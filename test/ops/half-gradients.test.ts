/** Gradients that lie exactly between two numbers of 16 bits: the even one is stored, in every place of a row. */
import test from "ava";
import { Objective, type tensor, zeros } from "../../lib/index.js";
import { elementsOf } from "./engine-batch.js";

// [fraction bits, what is between two of its numbers, the even neighbour]
const TIES = {
  bfloat16: [
    [1 + 2 ** -8, 1],
    [1 + 3 * 2 ** -8, 1 + 2 ** -6],
    [2 - 2 ** -8, 2],
  ],
  float16: [
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [2 - 2 ** -11, 2],
  ],
} as const;

for (const dtype of ["bfloat16", "float16"] as const) {
  for (const vocabSize of [2, 4, 16, 64, 256]) {
    test(`${dtype} gradients of ${vocabSize} equal logits round ties to even`, (t) => {
      for (const [tie, even] of TIES[dtype]) {
        for (const sign of [1, -1]) {
          // Every probability is 1 / vocabSize, so that the gradient of a token that was not sampled is the tie.
          const { gradLogits } = new Objective({ reduction: "sum" }).evaluate({
            logits: zeros([1, vocabSize], { dtype }),
            tokenIds: [vocabSize - 1],
            advantages: [sign * tie * vocabSize],
          });
          const gradient = elementsOf(gradLogits as ReturnType<typeof tensor>);
          const others = gradient.subarray(0, vocabSize - 1);
          t.true(
            others.every((value) => value === sign * even),
            `${tie}: ${others[0]}`,
          );
        }
      }
    });
  }
}
