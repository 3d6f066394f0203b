/** Evaluates a batch that is nearly all padding and prints by how many bytes this process grew. Run by `padding.test.ts`. */
import { backward, objective, papoLoss, reduceTokens, tokenStats, zeros } from "../../lib/index.js";

const ROWS = 512;
const VOCAB = 1 << 16;

// Memory of the host is there from its first touch on: these 2 × 128 MiB are nowhere yet.
const both = { requiresGrad: true };
const logits = zeros([ROWS, VOCAB], both);
const maskedLogits = zeros([ROWS, VOCAB], both);
const responseMask = new Int32Array(ROWS);
responseMask[ROWS - 1] = 1;
const tokens = { logits, maskedLogits, tokenIds: new Int32Array(ROWS), responseMask };
const batch = { ...tokens, advantages: new Float64Array(ROWS).fill(1) };
const loss = objective("papo-g-7b-no-ref", { form: "corrected" }).build();

const before = process.memoryUsage.rss();
const made = [
  loss.evaluate(batch),
  loss.evaluate(batch, { plan: "composed" }),
  await loss.evaluateAsync(batch, { onInvalid: "skip" }),
];
backward(papoLoss(batch));
maskedLogits.grad = undefined;
logits.grad = undefined;
backward(reduceTokens(tokenStats(tokens).kl));
console.log(
  JSON.stringify({ grown: process.memoryUsage.rss() - before, evaluations: made.length }),
);
