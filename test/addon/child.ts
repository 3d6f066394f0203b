/** What a process with other environment variables computes: prints one JSON line. Run by `inChild`. */
import { createHash } from "node:crypto";
import { info, objective, preset, tensor, toBfloat16 } from "../../lib/index.js";
import { makeBatch } from "../support/inputs.js";

const batch = makeBatch({
  sequences: 6,
  tokens: 7,
  vocabSize: 4099,
  distribution: "plain",
  seed: 11,
});
const shape = [batch.sequences, batch.tokens, batch.vocabSize] as const;
const spec = preset("papo-g-7b", { form: "corrected" });
const data = {
  tokenIds: batch.tokenIds,
  oldLogProbs: batch.oldLogProbs,
  refLogProbs: batch.refLogProbs,
  advantages: batch.advantages,
  responseMask: batch.responseMask,
};

const evaluation = objective(spec)
  .build()
  .evaluate(
    {
      ...data,
      logits: tensor(batch.logits, { shape }),
      maskedLogits: tensor(batch.maskedLogits, { shape }),
    },
    { perToken: true },
  );
const half = objective(spec)
  .build()
  .evaluate({
    ...data,
    logits: tensor(toBfloat16(batch.logits), { shape, dtype: "bfloat16" }),
    maskedLogits: tensor(toBfloat16(batch.maskedLogits), { shape, dtype: "bfloat16" }),
  });

const bits = createHash("sha256");
for (const { gradLogits, gradMaskedLogits, loss } of [evaluation, half]) {
  bits.update(Float64Array.of(loss));
  for (const grad of [gradLogits, gradMaskedLogits]) {
    if (grad === undefined) throw new Error("a gradient is missing");
    bits.update(new Uint8Array(grad.data.buffer, grad.data.byteOffset, grad.data.byteLength));
  }
}
const { isa, threads } = info();
console.log(
  JSON.stringify({
    isa,
    threads,
    loss: evaluation.loss,
    halfLoss: half.loss,
    bits: bits.digest("hex"),
  }),
);
