/** docs/benchmarks.md: the newest stored result, as README.md has it, and what its columns mean. */
import { readmeSection } from "../bench/report/section.js";
import { newestResult } from "../bench/report/stored.js";
import type { BenchResult } from "../bench/result.js";
import { blocks, MADE } from "./markdown.js";

export function benchmarksPage(result: BenchResult = stored()): string {
  return `${blocks(MADE, "# Benchmarks", INTRODUCTION, besideThisPage(readmeSection(result)), READING)}\n`;
}

const INTRODUCTION = `\
One evaluation of the whole loss over two sets of logits, complete in memory: papo beside what this machine can do at all, and beside
other engines with the same loss. All in the same rounds, by the same clock, with the error of each against float64 in its row.
[bench](../bench/README.md) defines every column, and \`npm run bench\` measures your machine.`;

const READING = `\
## Reading it

- **Share of the floor**: the least time in which this machine moves the bytes, or takes one exponential per logit, whichever is longer.
  Statistics of a pair of logits take nine more operations than that, gradients the exponentials again; so 100 % is out of reach where
  arithmetic is the limit, and near where memory is.
- **Times papo's**: on as many threads; a peer with one thread is compared with papo on one.
- **Error**: of the loss and of every number per token, in nats; gradients relative to themselves. What float32, float16 and bfloat16 cost in
  digits is on the page of [numerics](numerics.md).
- **Memory**: what the process grew by beyond inputs and outputs.
- One shared machine with two processors: shares and ratios carry over to others, times do not.`;

function stored(): BenchResult {
  const result = newestResult();
  if (result === undefined) throw new Error("bench/results holds no result");
  return result;
}

/** Paths from the root, as links and pictures of the section have them, from docs/. */
function besideThisPage(section: string): string {
  return section.replaceAll(/(src="|\]\()(?=bench\/)/g, (before) => `${before}../`);
}
