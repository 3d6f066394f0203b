/** Batches of surrogate tests: ragged, masked, with NaN wherever nobody may look. */

import { parametersOf } from "../../lib/surrogates/describe.js";
import type {
  SurrogateDefinition,
  SurrogateResult,
  SurrogateTokens,
} from "../../lib/surrogates/surrogate.js";
import { findSurrogate, type SurrogateKind } from "../../lib/surrogates/table.js";
import { Random } from "../support/inputs.js";

export type Tokens = { -readonly [K in keyof SurrogateTokens]: SurrogateTokens[K] };

/** Tokens in one sequence, all counted, weight 1, from plain numbers. */
export function tokensOf(given: {
  logProbs: readonly number[];
  oldLogProbs?: readonly number[];
  rolloutLogProbs?: readonly number[];
  advantages: readonly number[];
  weights?: readonly number[];
  mask?: readonly number[];
  offsets?: readonly number[];
  clip?: Partial<SurrogateTokens["clip"]>;
  logRatioLimit?: number;
  random?: () => number;
}): Tokens {
  const { logProbs, oldLogProbs = logProbs, rolloutLogProbs, advantages, mask } = given;
  const { weights = logProbs.map(() => 1), offsets = [0, logProbs.length] } = given;
  return {
    where: "test",
    offsets: Int32Array.from(offsets),
    mask: mask && Int32Array.from(mask),
    logProbs: Float64Array.from(logProbs),
    oldLogProbs: Float64Array.from(oldLogProbs),
    rolloutLogProbs: rolloutLogProbs && Float64Array.from(rolloutLogProbs),
    advantages: Float64Array.from(advantages),
    weights: Float64Array.from(weights),
    clip: { low: 0.2, high: 0.28, dual: 0, ...given.clip },
    logRatioLimit: given.logRatioLimit ?? 20,
    random: given.random ?? (() => 0),
  };
}

/** The defaults of a surrogate's parameters, with some of them replaced. */
function withDefaults(definition: SurrogateDefinition, given: object): object {
  const defaults = parametersOf(definition).map((parameter) => [parameter.name, parameter.default]);
  return { ...Object.fromEntries(defaults), ...given };
}

export function evaluate(
  kind: SurrogateKind,
  tokens: SurrogateTokens,
  parameters: object = {},
): SurrogateResult {
  const definition = findSurrogate(kind);
  if (definition === undefined) throw new Error(`no surrogate ${kind}`);
  return definition.evaluate(tokens, withDefaults(definition, parameters));
}

/** Σ weights · values over counted rows. */
export function lossOf({ values }: SurrogateResult, { weights, mask }: SurrogateTokens): number {
  let loss = 0;
  for (let row = 0; row < values.length; row++) {
    if (mask?.[row] !== 0) loss += (weights[row] as number) * (values[row] as number);
  }
  return loss;
}

/** Seeded uniform numbers, as `random` of tokens. */
export function uniform(seed: number): () => number {
  const random = new Random(seed);
  return () => random.uniform();
}

export interface RandomBatchOptions {
  /** Spread of ℓ − ℓ_old and of ℓ − ℓ_sampler, nats. */
  readonly drift?: number;
  /** One advantage per sequence. */
  readonly perSequence?: boolean;
  /** Dual clip, 0 = off. */
  readonly dual?: number;
}

/** A ragged batch: an empty sequence, one of a single token, one fully masked, holes in others; NaN in masked rows. */
export function randomBatch(seed: number, options: RandomBatchOptions = {}): Tokens {
  const { drift = 0.4, perSequence = false, dual = 3 } = options;
  const random = new Random(seed);
  const lengths = [1 + random.below(7), 0, 1, 4, 2 + random.below(9), 3];
  const offsets = [0];
  for (const length of lengths) offsets.push((offsets.at(-1) ?? 0) + length);
  const rows = offsets.at(-1) ?? 0;
  const sequenceOf = (row: number) => offsets.findLastIndex((offset) => offset <= row);
  const numbers = (of: (row: number) => number) =>
    Array.from({ length: rows }, (_, row) => of(row));
  // Sequence 3 does not count at all; sequence 2 is one token that does.
  const mask = numbers((row) => {
    const s = sequenceOf(row);
    return s === 3 ? 0 : s === 2 ? 1 : +(random.uniform() < 0.8);
  });
  const counted = (values: number[]) => values.map((x, row) => (mask[row] === 0 ? Number.NaN : x));
  const logProbs = numbers(() => -4 * random.uniform() - 0.01);
  const ofToken = () => (random.uniform() < 0.1 ? 0 : random.normal());
  const ofSequence = lengths.map(() => random.normal());
  const near = () => logProbs.map((x) => Math.min(x + drift * random.normal(), -1e-3));
  return tokensOf({
    logProbs: counted(logProbs),
    oldLogProbs: counted(near()),
    rolloutLogProbs: counted(near()),
    advantages: counted(
      numbers((row) => (perSequence ? (ofSequence[sequenceOf(row)] as number) : ofToken())),
    ),
    weights: counted(numbers(() => random.uniform())),
    mask,
    offsets,
    clip: { low: 0.2, high: 0.28, dual },
  });
}

/** Sequences first … end − 1 of a batch, as a batch of their own. */
export function sequencesOf(batch: Tokens, first: number, end: number): Tokens {
  const offsets = batch.offsets.slice(first, end + 1);
  const [from, to] = [offsets[0] as number, offsets.at(-1) as number];
  return {
    ...batch,
    offsets: offsets.map((offset) => offset - from),
    mask: batch.mask?.slice(from, to),
    logProbs: batch.logProbs.slice(from, to),
    oldLogProbs: batch.oldLogProbs.slice(from, to),
    rolloutLogProbs: batch.rolloutLogProbs?.slice(from, to),
    advantages: batch.advantages.slice(from, to),
    weights: batch.weights.slice(from, to),
  };
}
