/** Every row's statistics and gradients on this process' instruction set, as float64 on standard output. */
import { type Logits, objective, tokenStats } from "../../lib/index.js";
import { logitsBatch, valuesOf } from "../objective/batches.js";
import { LOGITS_DTYPES } from "../ops/engine-batch.js";
import { DISTRIBUTIONS, makeBatch } from "../support/inputs.js";
import { ISA_BATCH, STATISTIC_NAMES } from "./isa-results.js";

const loss = objective("papo-g-7b", { form: "corrected" }).build();
for (const dtype of LOGITS_DTYPES) {
  for (const distribution of DISTRIBUTIONS) {
    const batch = logitsBatch(makeBatch({ ...ISA_BATCH, distribution }), dtype);
    const { logits, tokenIds } = batch;
    const statistics = tokenStats({ logits, maskedLogits: batch.maskedLogits as Logits, tokenIds });
    for (const name of STATISTIC_NAMES) write(statistics[name].data as Float64Array);
    const { gradLogits, gradMaskedLogits } = loss.evaluate(batch);
    for (const gradient of [gradLogits, gradMaskedLogits]) write(valuesOf(gradient));
  }
}

function write({ buffer, byteOffset, byteLength }: Float64Array): void {
  process.stdout.write(new Uint8Array(buffer, byteOffset, byteLength));
}
