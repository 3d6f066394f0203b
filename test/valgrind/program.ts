/**
 * What valgrind watches in Node.js: every kernel on arrays that begin and end anywhere, later calls, aborts, bound steps,
 * states of a vocabulary, refused calls, and a worker that is terminated amid its calls.
 */
import assert from "node:assert/strict";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import {
  finishTokenStats,
  info,
  type Logits,
  type LogitsBatch,
  mergeTokenStats,
  objective,
  papoLoss,
  tokenStats,
  tokenStatsGrad,
  tokenStatsPartial,
} from "../../lib/index.js";
import { logitsBatch } from "../objective/batches.js";
import { LOGITS_DTYPES } from "../ops/engine-batch.js";
import { DISTRIBUTIONS, type DistributionName, makeBatch } from "../support/inputs.js";

/** No row is padding: what nobody reads, nobody reads beyond. */
const SIZE = { seed: 5, sequences: 2, tokens: 2, full: true } as const;
/** One where the last vector of the last row ends with the array, and one that is no multiple of anything. */
const VOCABULARIES = [1040, 1091] as const;
const LARGE = { seed: 6, sequences: 8, tokens: 8, vocabSize: 2049, distribution: "plain" } as const;

const authors = objective("papo-g-7b").build();
const corrected = objective("papo-g-7b", { form: "corrected" }).build();

type DType = (typeof LOGITS_DTYPES)[number];

function batchOf(distribution: DistributionName, dtype: DType, vocabSize = 1040): LogitsBatch {
  return logitsBatch(makeBatch({ ...SIZE, vocabSize, distribution }), dtype);
}

async function everyKernel(): Promise<void> {
  for (const [d, dtype] of LOGITS_DTYPES.entries()) {
    for (const [i, distribution] of DISTRIBUTIONS.entries()) {
      const batch = () => batchOf(distribution, dtype, VOCABULARIES[(d + i) % 2]);
      const { loss } = corrected.evaluate(batch());
      assert.equal((await corrected.evaluateAsync(batch())).loss, loss);
      assert.equal(corrected.evaluate(batch(), { inPlace: true }).loss, loss);
      authors.evaluate(batch(), { perToken: true });
      const step = authors.bind(batch());
      step.run();
      step.evaluation();
      const { logits, maskedLogits, tokenIds, ...rowData } = batch();
      const part = { logits, maskedLogits: maskedLogits as Logits, tokenIds };
      tokenStats(part);
      const states = mergeTokenStats([tokenStatsPartial(part)]);
      const gradients = corrected.evaluate({
        ...finishTokenStats({ ...part, states }),
        ...rowData,
      });
      tokenStatsGrad({ ...part, states, gradients });
    }
  }
}

/** Calls of several blocks, aborted at once, amid their work or not at all. */
async function later(): Promise<void> {
  const calls = Array.from({ length: 6 }, async (_, i) => {
    const own = new AbortController();
    const batch: LogitsBatch = logitsBatch(makeBatch(LARGE));
    const running = corrected.evaluateAsync(batch, { signal: own.signal });
    if (i % 3 === 0) own.abort();
    if (i % 3 === 1) setTimeout(() => own.abort(), i);
    await running.catch((error: unknown) => assert.equal(error, own.signal.reason));
  });
  await Promise.all(calls);
}

function refused(): void {
  const batch = batchOf("plain", "float32");
  assert.throws(() => corrected.evaluate({ ...batch, tokenIds: new Int32Array(4).fill(5000) }));
  assert.throws(() => papoLoss({ ...batch, advantages: new Float64Array(1) } as never));
}

async function endedWorker(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const running = corrected.evaluateAsync(logitsBatch(makeBatch(LARGE)));
  await worker.terminate();
  await running;
}

async function endlessly(): Promise<void> {
  for (let i = 0; ; i++) {
    const running = corrected.evaluateAsync(logitsBatch(makeBatch(LARGE)));
    if (i === 0) parentPort?.postMessage("working");
    await running;
  }
}

if (isMainThread) {
  await everyKernel();
  await later();
  refused();
  await endedWorker();
  console.log(`done on ${info().isa}`);
} else {
  await endlessly();
}
