/** What a call costs beside the arithmetic: each step between JavaScript and the kernels by itself. */
import type { Evaluation as LossEvaluation } from "../../lib/index.js";
import { type Batch, type LogitsArray, OBJECTIVE } from "../cases.js";
import { binding, papo } from "./built.js";
import type { Evaluation } from "./contender.js";

const { objective, tensor, tokenStats } = papo;

/** The op `token_stats` by the binding itself, its arguments made beforehand: the bridge and the kernel. */
export function setUpBridge(batch: Batch<LogitsArray>): Evaluation {
  const { rows, vocab, tokenIds } = batch;
  const { run } = binding();
  const matrix = (data: LogitsArray) =>
    ({ data, dtype: "float32", rows, columns: vocab, rowPitch: vocab }) as const;
  const statistics = new Float64Array(8 * rows);
  const inputs = {
    logits: matrix(batch.logits),
    masked_logits: matrix(batch.maskedLogits),
    token_ids: { data: tokenIds, dtype: "int32", rows, columns: 1, rowPitch: 1 },
  } as const;
  const outputs = {
    statistics: { data: statistics, dtype: "float64", rows: 8, columns: rows, rowPitch: rows },
  } as const;
  const attributes = {};
  const line = (k: number) => statistics.subarray(k * rows, (k + 1) * rows);
  return {
    run: () => run("token_stats", inputs, outputs, attributes),
    results: () => ({ logProbs: line(0), entropy: line(2), kl: line(4) }),
    freshOutputBytes: 0,
  };
}

/** Two tensors over the batch's memory, as every call of a user begins. */
export function setUpTensors({
  rows,
  vocab,
  logits,
  maskedLogits,
}: Batch<LogitsArray>): Evaluation {
  const shape = [rows, vocab] as const;
  let last: unknown[] = [];
  return {
    run() {
      last = [
        tensor(logits as Float32Array, { shape }),
        tensor(maskedLogits as Float32Array, { shape }),
      ];
    },
    results: () => (last.length === 2 ? {} : { loss: Number.NaN }),
    freshOutputBytes: 0,
  };
}

/** `tokenStats` from arrays: tensors, checks, the bridge, the kernel and its results. */
export function setUpTokenStats(batch: Batch<LogitsArray>): Evaluation {
  const { tokenIds } = batch;
  let last: ReturnType<typeof stats> | undefined;
  const stats = () => tokenStats({ ...logitsOf(batch), tokenIds });
  return {
    run() {
      last = stats();
    },
    results: () => ({
      logProbs: last?.logProbs.data as Float64Array,
      entropy: last?.entropy.data as Float64Array,
      kl: last?.kl.data as Float64Array,
    }),
    freshOutputBytes: 0,
  };
}

/** `Objective.evaluate` without gradients: everything that a loss with its metrics needs. */
export function setUpEvaluate(batch: Batch<LogitsArray>): Evaluation {
  const loss = objective(OBJECTIVE).build();
  const { tokenIds, oldLogProbs, refLogProbs, advantages } = batch;
  const rest = { tokenIds, oldLogProbs, refLogProbs, advantages };
  let last: LossEvaluation | undefined;
  return {
    run() {
      last = loss.evaluate({ ...logitsOf(batch), ...rest }, { gradients: false });
    },
    results: () => ({ loss: last?.loss as number }),
    freshOutputBytes: 0,
  };
}

/** The same off the event loop and back. */
export function setUpEvaluateAsync(batch: Batch<LogitsArray>): Evaluation {
  const loss = objective(OBJECTIVE).build();
  const { tokenIds, oldLogProbs, refLogProbs, advantages } = batch;
  const rest = { tokenIds, oldLogProbs, refLogProbs, advantages };
  let last: LossEvaluation | undefined;
  return {
    async run() {
      last = await loss.evaluateAsync({ ...logitsOf(batch), ...rest }, { gradients: false });
    },
    results: () => ({ loss: last?.loss as number }),
    freshOutputBytes: 0,
  };
}

function logitsOf({ rows, vocab, logits, maskedLogits }: Batch<LogitsArray>) {
  const shape = [rows, vocab] as const;
  return {
    logits: tensor(logits as Float32Array, { shape }),
    maskedLogits: tensor(maskedLogits as Float32Array, { shape }),
  };
}
