/** Every dtype of logits: 16-bit ones as Uint16Array, and as Float16Array where the runtime has it. */
import assert from "node:assert/strict";
import { type LogitsBatch, objective, tensor, toBfloat16, toFloat16 } from "papo";

const shape = [1, 2, 5] as const;
const values = Float32Array.from({ length: 10 }, (_, i) => ((i * 7) % 5) - 2);
const papo = objective("papo-g-7b-no-ref").build();

function lossOf(logits: () => LogitsBatch["logits"]): number {
  const batch = { logits: logits(), maskedLogits: logits(), tokenIds: [1, 4], advantages: [1] };
  const { loss, gradLogits } = papo.evaluate(batch);
  assert.equal(gradLogits?.dtype, batch.logits.dtype);
  return loss;
}

// Small integers are the same in all of them.
const loss = lossOf(() => tensor(values, { shape }));
const half = () => tensor(toFloat16(values), { shape, dtype: "float16" });
assert.equal(lossOf(half), loss);
assert.equal(
  lossOf(() => tensor(toBfloat16(values), { shape, dtype: "bfloat16" })),
  loss,
);
const { Float16Array } = globalThis as { Float16Array?: Float16ArrayConstructor };
if (Float16Array)
  assert.equal(
    lossOf(() => tensor(Float16Array.from(values), { shape })),
    loss,
  );
console.log(JSON.stringify({ float16Array: Float16Array !== undefined }));
