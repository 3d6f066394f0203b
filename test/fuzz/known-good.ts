/** One fixed call, with its gradients and a tape: whatever was refused before it, it gives the same bits. */
import * as papo from "../../lib/index.js";
import { batch, DIFFERENTIABLE } from "../support/valid-calls.js";

/** The bits of what the call gives. */
function knownGood(): string {
  const evaluation = DIFFERENTIABLE.evaluate(batch() as never);
  const logProbs = papo.tensor(Float64Array.of(-1, -0.5, -2), { requiresGrad: true }) as papo.Rows;
  papo.backward(papo.reduceTokens(papo.mul(papo.exp(logProbs), 0.5)));
  const numbers = [
    evaluation.loss,
    ...(evaluation.gradLogits?.data ?? []),
    ...(evaluation.gradMaskedLogits?.data ?? []),
    ...(logProbs.grad?.data ?? []),
  ];
  return Buffer.from(Float64Array.from(numbers).buffer).toString("base64");
}

let expected: string | undefined;

/** Throws where the fixed call gives other bits than at first. */
export function checkKnownGood(): void {
  const bits = knownGood();
  expected ??= bits;
  if (bits !== expected) throw new Error("the known-good call gives other bits");
}
