/** What a call costs beside the arithmetic: each step between JavaScript and the kernels by itself. */
import type { BoundEvaluation, Evaluation as LossEvaluation } from "../../lib/index.js";
import { type Batch, type LogitsArray, OBJECTIVE } from "../cases.js";
import { papo, tokenStatsOp } from "./built.js";
import type { Evaluation, OwnSetting, Results } from "./contender.js";

const { objective, tensor, tokenStats } = papo;

/** The op `token_stats` as every verb calls it, its tensors made beforehand: the bridge and the kernel. */
export function setUpOp(batch: Batch<LogitsArray>): Evaluation {
  const { rows, tokenIds } = batch;
  const call = {
    ...logitsOf(batch),
    where: "bench",
    tokenIds,
    temperature: 1,
    onInvalid: "error",
  } as const;
  let statistics: Float64Array = new Float64Array(8 * rows);
  const line = (k: number) => statistics.subarray(k * rows, (k + 1) * rows);
  return {
    run() {
      ({ statistics } = tokenStatsOp(call));
    },
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

/** A bound evaluation, as a trainer runs it at every step: the loss, and both gradients where they are asked for. */
export function setUpBound(batch: Batch<LogitsArray>, { operation }: OwnSetting): Evaluation {
  const step = boundTo(batch, operation === "gradients");
  let loss = 0;
  return {
    run() {
      loss = step.run();
    },
    results: () => resultsOf(loss, step),
    freshOutputBytes: 0,
  };
}

/** The same off the event loop and back. */
export function setUpBoundAsync(batch: Batch<LogitsArray>, { operation }: OwnSetting): Evaluation {
  const step = boundTo(batch, operation === "gradients");
  let loss = 0;
  return {
    async run() {
      loss = await step.runAsync();
    },
    results: () => resultsOf(loss, step),
    freshOutputBytes: 0,
  };
}

function boundTo(batch: Batch<LogitsArray>, gradients: boolean): BoundEvaluation {
  const { tokenIds, oldLogProbs, refLogProbs, advantages } = batch;
  const rest = { tokenIds, oldLogProbs, refLogProbs, advantages };
  return objective(OBJECTIVE)
    .build()
    .bind({ ...logitsOf(batch), ...rest }, { gradients });
}

function resultsOf(loss: number, { gradLogits, gradMaskedLogits }: BoundEvaluation): Results {
  return {
    loss,
    ...(gradLogits && { gradLogits: gradLogits.data as Float32Array }),
    ...(gradMaskedLogits && { gradMaskedLogits: gradMaskedLogits.data as Float32Array }),
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
