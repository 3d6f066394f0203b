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
  /** Bound on the log of every ratio; slope 0 where it binds. */
  readonly logRatioLimit: number;
  /** Uniform in [0, 1), from the seed of the evaluation; only for a surrogate that `draws`. */
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

/** Which other tokens the value or the slope of a token may depend on. */
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

/** A surrogate: one file, one of these. Notation of its texts is in README.md. */
export interface SurrogateDefinition<P extends object = object, K extends string = string> {
  /** Its name in a spec. */
  readonly kind: K;
  /** Other names of the same loss. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** Loss of a token, and its slope in the log-prob without the token's weight. */
  readonly formula: string;
  readonly gradient: string;
  readonly source: string;
  /** Who else has it, under which name or option. */
  readonly peers: readonly string[];
  /** What is wrong or different elsewhere. */
  readonly findings: readonly string[];
  readonly scope: SurrogateScope;
  readonly parameters: { readonly [N in keyof P]: SurrogateParameter<P[N]> };
  /** Keys of the spec's clip that it makes use of. */
  readonly clips: readonly ("clipLow" | "clipHigh" | "clipDual")[];
  /** Log-probs beside the policy's that it makes use of. */
  readonly reads: readonly ("oldLogProbs" | "rolloutLogProbs")[];
  /** Whether it draws tokens at random, so that an evaluation needs a seed. */
  readonly draws?: boolean;
  evaluate(tokens: SurrogateTokens, parameters: P): SurrogateResult;
}

/** A log-ratio within ± limit, and whether it is free to move there. */
export interface LogRatio {
  readonly value: number;
  readonly free: boolean;
}

/** a − b within ± limit. Equal values give 0; that of two −Infinity is not free, since a cannot move. */
export function logRatio(a: number, b: number, limit: number): LogRatio {
  return a === b ? { value: 0, free: a !== -Infinity } : limited(a - b, limit);
}

/** A log-ratio held within ± limit. */
export function limited(value: number, limit: number): LogRatio {
  if (value > limit) return { value: limit, free: false };
  if (value < -limit) return { value: -limit, free: false };
  return { value, free: true };
}

/** One token's loss and its slope in the log-prob, both without weight. */
export interface TokenLoss {
  readonly value: number;
  readonly slope: number;
  /** One of CLIP; none if not said. */
  readonly clip?: number;
}

/** One token, as the formula of one token sees it. */
export interface Token {
  readonly row: number;
  readonly logProb: number;
  /** Not 0. */
  readonly advantage: number;
  /** exp of the limited log-ratio to the other policy. */
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
    const token = loss({ row, logProb, advantage, ratio, ratioSlope });
    result.values[row] = token.value;
    result.slopes[row] = weighted(weights[row] as number, token.slope);
    result.clips[row] = token.clip ?? CLIP.none;
  }
  return result;
}

/** The loss −ratio·A of a token that no bound holds. */
export function unclipped({ advantage, ratio, ratioSlope }: Token): TokenLoss {
  return { value: -advantage * ratio, slope: -advantage * ratioSlope };
}

/**
 * The loss −c·A·ℓ with a constant c, whose slope is −c·A. A token that the policy rules out (ℓ = −Infinity) has no such
 * loss; it is dropped, as every ratio's slope is 0 there.
 */
export function weightedLogProb(
  coefficient: number,
  { advantage, logProb }: Token,
  clip: number = CLIP.none,
): TokenLoss {
  if (logProb === -Infinity) return { value: 0, slope: 0, clip: CLIP.dropped };
  const slope = -coefficient * advantage;
  return { value: slope * logProb, slope, clip };
}

/** A token's slope with its weight; without a sign where it is 0. */
export function weighted(weight: number, slope: number): number {
  return slope === 0 ? 0 : weight * slope;
}

/** A result of zeros, to be filled. */
export function zeroResult(rows: number): SurrogateResult {
  const zeros = () => new Float64Array(rows);
  return { values: zeros(), slopes: zeros(), ratios: zeros(), clips: zeros() };
}
