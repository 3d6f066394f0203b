/** What a surrogate is: a loss of each token from its log-probs, with its slopes; and the lift of a formula of one token. */

/** What every surrogate sees of a batch: one number per token, float64, nats. All but `logProbs` are constants. */
export interface SurrogateTokens {
  /** The public verb that messages begin with. */
  readonly where: string;
  /** [sequences + 1] row offsets. */
  readonly offsets: Int32Array;
  /** [rows] of 0 and 1; rows with 0 are not read, their values and slopes stay 0. Absent where every row counts. */
  readonly mask: Int32Array | undefined;
  /** Of the sampled tokens, under the policy; −Infinity where it rules them out. */
  readonly logProbs: Float64Array;
  /** Under the policy that collected the batch; `logProbs` itself where the batch has none. */
  readonly oldLogProbs: Float64Array;
  /** Under the sampler that drew the tokens, where the batch has them. */
  readonly rolloutLogProbs: Float64Array | undefined;
  readonly advantages: Float64Array;
  /** d loss / d value of each token: reduction × importance weight × token mask. */
  readonly weights: Float64Array;
  /** The spec's clipLow, clipHigh and clipDual (0 = off). */
  readonly clip: { readonly low: number; readonly high: number; readonly dual: number };
  /** Bound on every difference of log-probs before exp; slope 0 where it binds. */
  readonly logRatioLimit: number;
  /** Uniform in [0, 1), from the seed of the evaluation; throws ERR_ARGUMENT where none was given. */
  readonly random: () => number;
}

/** [rows] each, 0 where the mask is 0. */
export interface SurrogateResult {
  /** Loss of the token, without its weight. */
  readonly values: Float64Array;
  /** d Σ weights · values / d log-prob of the token; weights included, since a sequence couples its tokens. */
  readonly slopes: Float64Array;
  /** The importance ratio in force; that of a sequence repeated on its tokens. */
  readonly ratios: Float64Array;
  /** What bound the token: one of CLIP. */
  readonly clips: Float64Array;
}

/** The numbers of `clips`; `dropped` is a token that a trust region or a draw took out. */
export const CLIP = { none: 0, low: 1, high: 2, dual: 3, dropped: 4 } as const;

/** Which other tokens the loss of a token may depend on. */
export type SurrogateScope = "token" | "sequence" | "batch";

/** A bound is inclusive, but for `above`. */
export interface NumberRange {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
}

/** A parameter as data: its default, what it means, and the numbers or words it may be. */
export type SurrogateParameter<V> = { readonly default: V; readonly meaning: string } & ([
  V,
] extends [number]
  ? NumberRange
  : [V] extends [string]
    ? { readonly words: readonly V[] }
    : unknown);

/** A surrogate: one file, one of these. */
export interface SurrogateDefinition<P extends object = object> {
  /** Its name in a spec. */
  readonly kind: string;
  readonly summary: string;
  /** Value and slope as text: r the ratio, A the advantage, ℓ the log-prob. */
  readonly formula: string;
  readonly gradient: string;
  readonly source: string;
  /** Who else has it, under which name or option. */
  readonly peers: readonly string[];
  /** What is wrong or different elsewhere. */
  readonly findings: readonly string[];
  readonly scope: SurrogateScope;
  readonly parameters: { readonly [K in keyof P]: SurrogateParameter<P[K]> };
  /** Log-probs beside the policy's that it makes use of. */
  readonly reads: readonly ("oldLogProbs" | "rolloutLogProbs")[];
  evaluate(tokens: SurrogateTokens, parameters: P): SurrogateResult;
}

/** A difference of log-probs within ± limit, and whether it is free to move there. */
export interface LogRatio {
  readonly value: number;
  readonly free: boolean;
}

/** a − b within ± limit. Equal values give 0, even if both are −Infinity. */
export function logRatio(a: number, b: number, limit: number): LogRatio {
  if (a === b) return { value: 0, free: true };
  const difference = a - b;
  if (difference > limit) return { value: limit, free: false };
  if (difference < -limit) return { value: -limit, free: false };
  return { value: difference, free: true };
}

/** One token's loss and its slope in the log-prob, both without weight. */
export interface TokenLoss {
  readonly value: number;
  readonly slope: number;
  readonly clip: number;
}

/** One token, as the formula of one token sees it. */
export interface Token {
  readonly row: number;
  readonly logProb: number;
  readonly advantage: number;
  /** exp of the limited log-ratio to the old policy. */
  readonly ratio: number;
  /** d ratio / d log-prob: the ratio, or 0 where the limit binds. */
  readonly ratioSlope: number;
}

/**
 * The surrogate of a formula that sees one token only.
 *
 * @param loss   not called where the advantage is 0: value and slope are then 0
 * @param other  log-probs that the ratio is taken against, if not the old policy's
 */
export function tokenwise(
  tokens: SurrogateTokens,
  loss: (token: Token) => TokenLoss,
  other: Float64Array = tokens.oldLogProbs,
): SurrogateResult {
  const { mask, logProbs, advantages, weights, logRatioLimit } = tokens;
  const result = zeroResult(logProbs.length);
  for (let row = 0; row < logProbs.length; row++) {
    if (mask?.[row] === 0) continue;
    const logProb = logProbs[row] as number;
    const log = logRatio(logProb, other[row] as number, logRatioLimit);
    const ratio = Math.exp(log.value);
    result.ratios[row] = ratio;
    const advantage = advantages[row] as number;
    if (advantage === 0) continue;
    const ratioSlope = log.free ? ratio : 0;
    const { value, slope, clip } = loss({ row, logProb, advantage, ratio, ratioSlope });
    result.values[row] = value;
    result.slopes[row] = slope === 0 ? 0 : (weights[row] as number) * slope;
    result.clips[row] = clip;
  }
  return result;
}

/** A result of zeros, to be filled. */
export function zeroResult(rows: number): SurrogateResult {
  const zeros = () => new Float64Array(rows);
  return { values: zeros(), slopes: zeros(), ratios: zeros(), clips: zeros() };
}
