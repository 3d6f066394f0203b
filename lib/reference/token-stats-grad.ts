/** The op token_stats_grad in float64: the gradients of both logits, in closed form. */
import { checkObject } from "../core/arguments.js";
import { checkNumber, checkNumbers, notFinite } from "./checks.js";
import { exactKl } from "./divergence.js";
import type { Distribution } from "./log-softmax.js";
import { readOnce } from "./read-once.js";
import {
  checkLogitsInput,
  entropyOf,
  type LogitsInput,
  noDistribution,
  rowDistribution,
} from "./token-stats.js";

/** Names of the statistics that take a gradient, in the order of the lines of the native op. */
export const COTANGENTS = [
  "logProbs",
  "maskedLogProbs",
  "entropy",
  "maskedEntropy",
  "kl",
  "reverseKl",
] as const;
/** The name of a statistic that gradients are carried back through. */
export type CotangentName = (typeof COTANGENTS)[number];

/** ∂loss/∂statistic, each [rows]; what is absent is 0. */
export type Cotangents = Readonly<Partial<Record<CotangentName, ArrayLike<number>>>>;

export interface TokenStatsGradOptions extends LogitsInput {
  /** d loss / d statistic of every row. */
  readonly cotangents: Cotangents;
  /** Factor of both gradients, 1 by default. */
  readonly gradScale?: number | undefined;
}

/** Gradients, [rows, vocabSize] without pitch. */
export interface LogitsGradients {
  /** d loss / d logits of the policy. */
  readonly gradLogits: Float64Array;
  /** Absent without masked logits. */
  readonly gradMaskedLogits: Float64Array | undefined;
}

/**
 * Gradients of Σ cotangent·statistic in both logits.
 *
 * With p and q the policies that see and do not see the image, o the sampled token and τ the temperature:
 *
 *     ∂log p_o   / ∂z = (1[v = o] − p) / τ
 *     ∂H(p)      / ∂z = −p·(log p + H(p)) / τ
 *     ∂KL(p ‖ q) / ∂z =  p·(log p − log q − KL(p ‖ q)) / τ     in the masked logits: (q − p) / τ
 *     ∂KL(q ‖ p) / ∂z =  (p − q) / τ                           in the masked logits: q·(log q − log p − KL(q ‖ p)) / τ
 *
 * and the same for q. A logit of −Infinity gets gradient exactly 0, and so does every logit of a row that does not count.
 *
 * @throws PapoError as `tokenStats`; ERR_NOT_FINITE also for a cotangent that is not finite, and for one that is not 0
 * of a divergence that is Infinity
 */
export function tokenStatsGrad(options: TokenStatsGradOptions): LogitsGradients {
  const where = "reference.tokenStatsGrad";
  options = readOnce(where, options);
  const counted = checkLogitsInput(where, options);
  const { rows, vocabSize, tokenIds, cotangents, temperature = 1, gradScale = 1 } = options;
  checkNumber(where, "gradScale", gradScale, "finite", Number.isFinite);
  checkObject(where, "cotangents", cotangents);
  for (const name of COTANGENTS) {
    const values = cotangents[name];
    if (values !== undefined) checkNumbers(where, `cotangents.${name}`, values, rows);
  }
  const gradLogits = new Float64Array(rows * vocabSize);
  const gradMaskedLogits = options.maskedLogits && new Float64Array(rows * vocabSize);

  for (let row = 0; row < rows; row++) {
    if (!counted[row]) continue;
    const p = rowDistribution(options, "logits", row);
    if (p === undefined) throw noDistribution(where, options, "logits", row);
    const cotangent = cotangentsOfRow(where, cotangents, row);
    const scale = gradScale / temperature;
    const token = tokenIds[row] as number;

    const gradRow = gradLogits.subarray(row * vocabSize, (row + 1) * vocabSize);
    addLogProbSlope(gradRow, p, token, cotangent.logProbs * scale);
    addEntropySlope(gradRow, p, cotangent.entropy * scale);
    if (gradMaskedLogits === undefined) continue;

    const q = rowDistribution(options, "maskedLogits", row);
    if (q === undefined) throw noDistribution(where, options, "maskedLogits", row);
    const gradMaskedRow = gradMaskedLogits.subarray(row * vocabSize, (row + 1) * vocabSize);
    addLogProbSlope(gradMaskedRow, q, token, cotangent.maskedLogProbs * scale);
    addEntropySlope(gradMaskedRow, q, cotangent.maskedEntropy * scale);
    const { kl, reverseKl } = exactKl(p, q);
    for (const [name, value] of Object.entries({ kl, reverseKl })) {
      if (cotangent[name as "kl" | "reverseKl"] !== 0 && value === Infinity) {
        const what = `${name}[${row}] to be finite where its cotangent is not 0`;
        throw notFinite(where, what, row, "Infinity");
      }
    }
    addKlSlopes(gradRow, gradMaskedRow, p, q, kl, cotangent.kl * scale);
    addKlSlopes(gradMaskedRow, gradRow, q, p, reverseKl, cotangent.reverseKl * scale);
  }
  return { gradLogits, gradMaskedLogits };
}

function cotangentsOfRow(
  where: string,
  cotangents: Cotangents,
  row: number,
): Record<CotangentName, number> {
  const entries = COTANGENTS.map((name) => {
    const value = cotangents[name]?.[row] ?? 0;
    if (!Number.isFinite(value)) {
      throw notFinite(where, `cotangents.${name}[${row}] to be finite`, row, String(value));
    }
    return [name, value];
  });
  return Object.fromEntries(entries) as Record<CotangentName, number>;
}

function addLogProbSlope(grad: Float64Array, p: Distribution, token: number, factor: number): void {
  if (factor === 0) return;
  for (let v = 0; v < grad.length; v++) {
    if (p.logProbs[v] === -Infinity) continue;
    // 1 − p of a token with nearly all the mass, without cancellation.
    const slope = v === token ? -Math.expm1(p.logProbs[v] as number) : -(p.probs[v] as number);
    grad[v]! += factor * slope;
  }
}

function addEntropySlope(grad: Float64Array, p: Distribution, factor: number): void {
  if (factor === 0) return;
  const entropy = entropyOf(p);
  for (let v = 0; v < grad.length; v++) {
    if (p.probs[v] === 0) continue;
    grad[v]! += factor * -(p.probs[v] as number) * ((p.logProbs[v] as number) + entropy);
  }
}

/** Adds factor · ∂KL(p ‖ q) to the gradients of the logits of p and of q. */
function addKlSlopes(
  gradP: Float64Array,
  gradQ: Float64Array,
  p: Distribution,
  q: Distribution,
  kl: number,
  factor: number,
): void {
  if (factor === 0) return;
  for (let v = 0; v < gradP.length; v++) {
    const logP = p.logProbs[v] as number;
    const logQ = q.logProbs[v] as number;
    const probP = p.probs[v] as number;
    const probQ = q.probs[v] as number;
    // Where q is impossible p has no mass, or the KL would be Infinity.
    if (probP !== 0 && logQ !== -Infinity) gradP[v]! += factor * probP * (logP - logQ - kl);
    if (logQ !== -Infinity) gradQ[v]! += factor * (probQ - probP);
  }
}
