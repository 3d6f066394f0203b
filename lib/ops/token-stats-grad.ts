/** The op `token_stats_grad`: gradients of both sets of logits from the cotangents of their statistics. */
import type { Sink } from "../autograd/sink.js";
import type { Sinks } from "../autograd/tape.js";
import { freshIsZero } from "../tensor/fresh.js";
import {
  disposeAll,
  fillZero,
  fillZeroAsync,
  type GradientOptions,
  gradientTensor,
} from "../tensor/gradient.js";
import type { Logits, Tensor } from "../tensor/tensor.js";
import { COTANGENTS, linesTensor, STATISTICS } from "./lines.js";
import { type OpCall, runOp, runOpAsync } from "./run-op.js";
import { logitsInputs, type TokenLogits } from "./token-stats.js";
import { shardAttributes, type VocabShard } from "./token-stats-partial.js";

export interface StatisticsCotangents extends TokenLogits, VocabShard {
  /** [8, rows], as `tokenStats` gave them for these very logits, or those of the vocabulary that they are a shard of. */
  readonly statistics: Float64Array;
  /** [6, rows], lines COTANGENTS: d loss / d statistic. */
  readonly cotangents: Float64Array;
  /** Multiplies the gradients before they are rounded to their dtype. */
  readonly gradScale: number;
}

export interface TokenStatsGradArgs extends StatisticsCotangents {
  /** Where the gradients go, both of one dtype (see `gradientTensor`); the very memory of the logits is allowed. */
  readonly gradLogits?: Tensor | undefined;
  readonly gradMaskedLogits?: Tensor | undefined;
  /** Add to what the gradient tensors hold. */
  readonly accumulate: boolean;
  /** Rows with mask 0 hold zeros in both gradients already: they are not written. false. */
  readonly gradsZeroed?: boolean | undefined;
  /** Which of them is to be zero first, where `accumulate` is for the other. */
  readonly cleared?: Tensor | undefined;
}

/** Writes the gradients; with no gradient tensor given it does nothing. */
export function tokenStatsGrad(args: TokenStatsGradArgs): void {
  if (args.cleared) fillZero(args.where, "grad", args.cleared);
  if (args.gradLogits ?? args.gradMaskedLogits) runOp(prepare(args));
}

export async function tokenStatsGradAsync(
  args: TokenStatsGradArgs,
  signal?: AbortSignal,
): Promise<void> {
  const { where, cleared } = args;
  if (cleared) await fillZeroAsync(where, "grad", cleared, undefined, signal);
  if (args.gradLogits ?? args.gradMaskedLogits) await runOpAsync(prepare(args), signal);
}

function prepare(args: TokenStatsGradArgs): OpCall {
  const { where, temperature, gradScale, accumulate, gradsZeroed = false } = args;
  return {
    op: "tokenStatsGrad",
    where,
    inputs: {
      statistics: linesTensor(args.statistics, STATISTICS),
      cotangents: linesTensor(args.cotangents, COTANGENTS),
      ...logitsInputs(args),
    },
    outputs: {
      gradLogits: args.gradLogits?.toNative(where, "gradLogits"),
      gradMaskedLogits: args.gradMaskedLogits?.toNative(where, "gradMaskedLogits"),
    },
    attributes: { temperature, gradScale, accumulate, gradsZeroed, ...shardAttributes(args) },
  };
}

/**
 * The kernel calls that bring the gradients to their sinks [logits, maskedLogits]; each is to be run before the next is asked for.
 * One call, unless one tensor is both sets of logits, or the caller's two gradients differ in dtype.
 *
 * @param dtype  of gradients that the sinks leave to us; that of the logits if not said
 */
export function* gradientCalls(
  args: StatisticsCotangents,
  [sink, maskedSink]: Sinks,
  dtype?: "float32",
): Generator<TokenStatsGradArgs> {
  const apart =
    sink === maskedSink ||
    (sink?.buffer ?? args.logits).dtype !== (maskedSink?.buffer ?? args.logits).dtype;
  const groups: Sinks[] = apart ? [[sink], [undefined, maskedSink]] : [[sink, maskedSink]];
  for (const [own, masked] of groups) {
    if (own === undefined && masked === undefined) continue;
    const accumulate = Boolean(own?.accumulate || masked?.accumulate);
    const fresh: Tensor[] = [];
    const wanted = [own, masked].filter((sink) => sink !== undefined);
    const said = wanted.some(({ zeroed }) => zeroed);
    const gradsZeroed =
      said || (freshIsZero(args.logits.device) && wanted.every(({ buffer }) => !buffer));
    const how = { dtype, overwritten: !accumulate && !said };
    try {
      const gradLogits = target(own, args.logits, how, fresh);
      const gradMaskedLogits = target(masked, args.maskedLogits, how, fresh);
      // The kernel adds to both of its outputs or to neither, so the one that is to be overwritten starts at 0.
      const stale = wanted.find((sink) => accumulate && !sink.accumulate && !sink.zeroed);
      const cleared = stale?.buffer;
      yield { ...args, gradLogits, gradMaskedLogits, accumulate, gradsZeroed, cleared };
      fill(own, gradLogits);
      fill(masked, gradMaskedLogits);
      fresh.length = 0;
    } finally {
      disposeAll(fresh);
    }
  }
}

function target(
  sink: Sink | undefined,
  logits: Logits | undefined,
  how: GradientOptions,
  fresh: Tensor[],
): Tensor | undefined {
  if (sink === undefined || logits === undefined) return undefined;
  if (sink.buffer !== undefined) return sink.buffer;
  const gradient = gradientTensor("backward", "grad", logits, how);
  fresh.push(gradient);
  return gradient;
}

function fill(sink: Sink | undefined, gradient: Tensor | undefined): void {
  if (sink === undefined) return;
  sink.buffer = gradient;
  sink.accumulate = true;
}
