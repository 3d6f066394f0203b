/** The whole PAPO loss of a batch in one pass over the logits, as a differentiable scalar. */
import { type Cotangents, isRecording, record, type Sinks } from "../autograd/tape.js";
import { checkSignal, readOptions } from "../core/arguments.js";
import {
  type PapoLossArgs,
  type PapoLossResult,
  papoLoss as papoLossOp,
  papoLossAsync as papoLossOpAsync,
} from "../ops/papo-loss.js";
import { lossOfTerms, tokenObjective } from "../ops/token-objective.js";
import { gradientCalls, tokenStatsGrad, tokenStatsGradAsync } from "../ops/token-stats-grad.js";
import { disposeAll, gradientTensor } from "../tensor/gradient.js";
import { type Logits, type Scalar, Tensor } from "../tensor/tensor.js";
import { PAPO_LOSS_OPTIONS, type PapoLossOptions, papoLossArgs } from "./papo-loss-options.js";

/**
 * weights · (surrogate + refKlCoef·refKl − perceptionKlCoef·perceptionKl) + entropy weights · (entropyCoef·entropy +
 * maskedEntropyCoef·maskedEntropy), summed over the tokens that count; 0 where none does.
 *
 * Where a gradient will be asked for it is computed in the same pass, and `backward` hands it over; it walks the
 * vocabulary once more only if it has to scale it or to add it to a gradient that is there already.
 *
 * @returns a float64 scalar, differentiable in `logits` and, with `maskedBranch: "differentiable"`, in `maskedLogits`
 * @throws PapoError ERR_SHAPE, ERR_DTYPE, ERR_ARGUMENT (a term without its data too), ERR_RANGE, ERR_NOT_FINITE naming the
 * first row it speaks of, ERR_UNSUPPORTED
 * @see PAPO (arXiv 2507.06448) eq. 2 and 3; `native/math/token_objective.hpp` for the signs
 */
export function papoLoss(options: PapoLossOptions): Scalar {
  const given = readOptions("papoLoss", options, PAPO_LOSS_OPTIONS);
  const args = papoLossArgs("papoLoss", given);
  const eager = eagerGradients(args, given.gradDType);
  try {
    return recorded(args, papoLossOp({ ...args, ...eager }), eager, given.gradDType);
  } catch (error) {
    disposeAll(Object.values(eager));
    throw error;
  }
}

/** `papoLoss` off the event loop; the logits must stay as they are until it settles. */
export async function papoLossAsync(
  options: PapoLossOptions & { readonly signal?: AbortSignal },
): Promise<Scalar> {
  const where = "papoLossAsync";
  const { signal, ...given } = readOptions(where, options, [...PAPO_LOSS_OPTIONS, "signal"]);
  checkSignal(where, signal);
  const args = papoLossArgs(where, given);
  const eager = eagerGradients(args, given.gradDType);
  try {
    const result = await papoLossOpAsync({ ...args, ...eager }, signal);
    return recorded(args, result, eager, given.gradDType);
  } catch (error) {
    disposeAll(Object.values(eager));
    throw error;
  }
}

/** Gradients made with the loss, d result / d loss taken as 1. */
interface EagerGradients {
  readonly gradLogits?: Tensor;
  readonly gradMaskedLogits?: Tensor;
}

/** The tensors that receive gradient: [logits, maskedLogits]. */
function inputsOf({ logits, maskedLogits, attributes }: PapoLossArgs): (Logits | undefined)[] {
  return [logits, attributes.maskedBranch === "differentiable" ? maskedLogits : undefined];
}

/** Memory for gradients that will be wanted fresh; one that is to be added to the caller's is made on the way back. */
function eagerGradients(args: PapoLossArgs, dtype: "float32" | undefined): EagerGradients {
  const made: (Tensor | undefined)[] = [];
  try {
    for (const input of inputsOf(args)) {
      const wanted = isRecording() && input?.requiresGrad && input.grad === undefined;
      const options = { dtype, overwritten: true };
      made.push(wanted ? gradientTensor(args.where, "grad", input, options) : undefined);
    }
  } catch (error) {
    disposeAll(made);
    throw error;
  }
  const [gradLogits, gradMaskedLogits] = made;
  return { ...(gradLogits && { gradLogits }), ...(gradMaskedLogits && { gradMaskedLogits }) };
}

function recorded(
  args: PapoLossArgs,
  { statistics, terms }: PapoLossResult,
  eager: EagerGradients,
  dtype: "float32" | undefined,
): Scalar {
  const loss: Scalar = new Tensor(args.where, Float64Array.of(lossOfTerms(terms, args)), {
    shape: [],
  });
  let ready: (Tensor | undefined)[] = [eager.gradLogits, eager.gradMaskedLogits];
  /** Hands the eager gradients over, once: whoever gets them may write to them. What nobody takes is let go of. */
  const handOver = (gradScale: number, sinks: Sinks): boolean => {
    const gradients = ready;
    ready = [];
    const fits = sinks.every((sink, i) => !sink || (!sink.buffer && gradients[i]));
    const isTaken = gradScale === 1 && fits && sinks[0] !== sinks[1];
    gradients.forEach((buffer, i) => {
      const sink = isTaken ? sinks[i] : undefined;
      if (sink) Object.assign(sink, { buffer, accumulate: true });
      else buffer?.dispose();
    });
    return isTaken;
  };
  const calls = (gradScale: number, sinks: Sinks) => {
    const hasMasked = (args.maskedLogits ?? args.maskedLogProbs) !== undefined;
    const { cotangents } = tokenObjective({ statistics, hasMasked, ...args });
    const slopes = cotangents as Float64Array;
    const from = { statistics, cotangents: slopes, ...args, gradScale };
    return gradientCalls(from, sinks, dtype);
  };
  record({
    inputs: inputsOf(args),
    outputs: [loss],
    vjp: (upstream, sinks) => {
      const gradScale = scaleOf(upstream);
      if (handOver(gradScale, sinks)) return;
      for (const call of calls(gradScale, sinks)) tokenStatsGrad(call);
    },
    vjpAsync: async (upstream, sinks, signal) => {
      const gradScale = scaleOf(upstream);
      if (handOver(gradScale, sinks)) return;
      for (const call of calls(gradScale, sinks)) await tokenStatsGradAsync(call, signal);
    },
  });
  return loss;
}

function scaleOf([cotangent]: Cotangents): number {
  return (cotangent as Scalar).item();
}
