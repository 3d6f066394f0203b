/** Losses of any making on TensorFlow.js' tape. */

import type * as tfjs from "@tensorflow/tfjs-core";
import { checkFunction, checkObject } from "../core/arguments.js";
import { isArray, listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { finiteNumber } from "../core/option-values.js";
import { Tensor } from "../tensor/tensor.js";
import { readFields } from "./framework-batch.js";
import { checkSameShape, checkTfjs, TFJS, type Tfjs, toTfjs, viewsOf } from "./tfjs-memory.js";
import { onTape } from "./tfjs-tape.js";

/**
 * Any loss that is computed with papo, such as a custom objective through `valueAndGrad`, as a scalar of the tape.
 *
 * @param logits   each [rows, vocab] or [sequences, tokens, vocab], float32
 * @param compute  called once, at once, with the logits as tensors of papo. They lie on memory of TensorFlow.js (on WASM
 *                 and cpu its own, uncopied): read only, and only until it returns. An absent gradient is zero;
 *                 the memory of a given one is TensorFlow.js' from then on
 * @throws PapoError ERR_ARGUMENT, ERR_DTYPE, ERR_SHAPE, ERR_DISPOSED
 */
export function tfjsLoss(
  tf: Tfjs,
  logits: readonly tfjs.Tensor[],
  compute: (...logits: Tensor<"float32", 2 | 3>[]) => {
    readonly loss: number;
    readonly gradients: readonly (Tensor | undefined)[];
  },
): tfjs.Scalar {
  const where = "tfjsLoss";
  checkTfjs(where, tf);
  checkFunction(where, "compute", compute);
  const count = listLength(logits) ?? 0;
  if (count === 0) {
    throw expected("ERR_ARGUMENT", where, "logits to be an array of tf.Tensor", describe(logits));
  }
  // Read once, for an element may have a getter, and no further than to the first that is none.
  const given: tfjs.Tensor[] = [];
  for (let i = 0; i < count; i++) {
    const each = logits[i] as tfjs.Tensor;
    readFields(where, { logits: each }, TFJS);
    given.push(each);
  }
  return onTape(tf, given, (recording) => {
    const result = compute(...viewsOf(tf, where, given, []).inputs);
    checkObject(where, "what compute returns", result);
    const { loss, gradients } = result;
    if (!isArray(gradients)) {
      throw expected("ERR_ARGUMENT", where, "gradients to be an array", describe(gradients));
    }
    const made = given.map((input, at) => {
      const gradient = gradients[at];
      if (gradient === undefined || !recording) return undefined;
      if (!(gradient instanceof Tensor)) {
        const what = `gradients[${at}] to be a Tensor`;
        throw expected("ERR_ARGUMENT", where, what, describe(gradient));
      }
      const { dtype, shape, columns, rowPitch } = gradient;
      checkSameShape(where, `gradients[${at}]`, shape, input.shape);
      if (!dtype.startsWith("float") || dtype === "float16" || columns !== rowPitch) {
        const what = `gradients[${at}] to hold float32 or float64 without gaps`;
        throw expected("ERR_DTYPE", where, what, `${dtype}, row pitch ${rowPitch}`);
      }
      return toTfjs(tf, gradient);
    });
    return { loss: finiteNumber(where, "loss", loss), gradients: made };
  });
}
