/** Batches whose vocabulary is cut into parts, as ranks hold them: views of the same memory, some columns each. */
import type { LogitsDType } from "../../lib/core/dtype.js";
import { line, STATES } from "../../lib/ops/lines.js";
import { tokenStatsMerge } from "../../lib/ops/token-stats-merge.js";
import {
  type TokenStatsPartialArgs,
  tokenStatsPartial,
} from "../../lib/ops/token-stats-partial.js";
import type { TokenStates } from "../../lib/reference/index.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import type { EngineBatch } from "./engine-batch.js";

/** Columns `begin` up to `end` of a matrix, over its own memory. */
export function columnsOf<D extends LogitsDType>(
  of: Tensor<D, 2>,
  begin: number,
  end: number,
): Tensor<D, 2> {
  const { dtype, rows, rowPitch, data } = of;
  const shape = [rows, end - begin] as const;
  return new Tensor("columnsOf", data.subarray(begin), { shape, dtype, rowPitch });
}

/** The calls of the parts between the cuts, first part first. */
export function partsOf(
  { logits, maskedLogits, tokenIds, responseMask }: EngineBatch,
  cuts: readonly number[],
  temperature = 1,
): TokenStatsPartialArgs[] {
  const vocabTotal = logits.columns;
  return [0, ...cuts].map((begin, i) => {
    const end = cuts[i] ?? vocabTotal;
    return {
      where: "tokenStatsPartial",
      logits: columnsOf(logits, begin, end),
      maskedLogits: columnsOf(maskedLogits, begin, end),
      tokenIds,
      responseMask,
      temperature,
      vocabOffset: begin,
      vocabTotal,
    };
  });
}

/** The vocabulary whole, in two unequal parts, with one column alone at either end, and in many small parts. */
export function cutsOf(vocabSize: number): readonly (readonly number[])[] {
  const step = Math.max(1, Math.floor(vocabSize / 6));
  const many = Array.from({ length: Math.ceil(vocabSize / step) - 1 }, (_, i) => (i + 1) * step);
  const [third, last] = [Math.max(1, Math.floor(vocabSize / 3)), vocabSize - 1];
  return [[], [third], [1, last], many];
}

/** The states of all parts, merged in the order given. */
export function mergedStates(parts: readonly TokenStatsPartialArgs[]): Float64Array {
  return mergeAll(parts.map(tokenStatsPartial));
}

export function mergeAll(states: readonly Float64Array[]): Float64Array {
  return states.reduce((merged, next) =>
    tokenStatsMerge({ where: "tokenStatsMerge", states: merged, otherStates: next }),
  );
}

/** A matrix of states as the reference takes them. */
export function namedStates(states: Float64Array): TokenStates {
  const entries = STATES.map((name) => [name, line(states, STATES, name)]);
  return Object.fromEntries(entries) as TokenStates;
}
