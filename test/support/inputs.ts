/** Seeded batches with named distributions, as every test of an op wants them. */
import { tokenStats } from "../../lib/reference/index.js";

/** Uniform numbers in [0, 1) from a 32-bit seed (splitmix32): the same everywhere, for ever. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  uniform(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state ^ (this.#state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  }

  /** An integer in 0…n − 1. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}

/**
 * What the two policies look like.
 *
 * - `plain`     logits around 0, a masked policy that differs mildly
 * - `near`      two almost equal policies: a careless KL has no digits left
 * - `far`       a masked policy of its own, and old and reference log-probs far off: every clip and limit binds somewhere
 * - `peaked`    one token has nearly all the mass
 * - `negative`  every logit far below 0
 * - `wide`      logits over a range of ±60
 * - `holes`     some columns −Infinity in both policies; sampled tokens are never among them
 */
export const DISTRIBUTIONS = [
  "plain",
  "near",
  "far",
  "peaked",
  "negative",
  "wide",
  "holes",
] as const;
export type DistributionName = (typeof DISTRIBUTIONS)[number];

export interface BatchOptions {
  readonly seed?: number;
  readonly sequences?: number;
  /** Tokens of each sequence, padding included. */
  readonly tokens?: number;
  readonly vocabSize?: number;
  /** Elements from row to row; the gaps hold NaN. */
  readonly rowPitch?: number;
  readonly distribution?: DistributionName;
  /** All tokens count where true; otherwise sequences end at random and the second one is empty. */
  readonly full?: boolean;
}

/** A batch in the field names of the reference; logits are float32, everything per row is float64. */
export interface Batch {
  readonly rows: number;
  readonly sequences: number;
  readonly tokens: number;
  readonly vocabSize: number;
  readonly rowPitch: number;
  readonly logits: Float32Array;
  readonly maskedLogits: Float32Array;
  readonly tokenIds: Int32Array;
  readonly oldLogProbs: Float64Array;
  readonly refLogProbs: Float64Array;
  readonly advantages: Float64Array;
  readonly responseMask: Int32Array;
}

/** A batch; the same options give the same batch. */
export function makeBatch(options: BatchOptions = {}): Batch {
  const { seed = 1, sequences = 3, tokens = 4, vocabSize = 7, distribution = "plain" } = options;
  const rowPitch = options.rowPitch ?? vocabSize;
  const rows = sequences * tokens;
  const random = new Random(seed);
  const logits = new Float32Array(rows * rowPitch).fill(Number.NaN);
  const maskedLogits = new Float32Array(rows * rowPitch).fill(Number.NaN);
  const tokenIds = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const peak = random.below(vocabSize);
    // Never the peak itself, so that a token is left; none where there is only one.
    const hole =
      distribution === "holes" && vocabSize > 1
        ? (peak + 1 + random.below(vocabSize - 1)) % vocabSize
        : -1;
    for (let v = 0; v < vocabSize; v++) {
      const [policy, masked] = logitPair(random, distribution, v === peak);
      const isHole = v === hole || (hole >= 0 && v !== peak && random.uniform() < 0.2);
      logits[row * rowPitch + v] = isHole ? -Infinity : policy;
      maskedLogits[row * rowPitch + v] = isHole ? -Infinity : masked;
    }
    do tokenIds[row] = random.below(vocabSize);
    while (logits[row * rowPitch + (tokenIds[row] as number)] === -Infinity);
  }

  const shape = { rows, vocabSize, rowPitch };
  const { logProbs } = tokenStats({ logits, tokenIds, ...shape });
  const drift = distribution === "far" ? 8 : 0.3;
  const offPolicy = (): Float64Array =>
    logProbs.map((logProb) => logProb + drift * random.normal());
  const oldLogProbs = offPolicy();
  const refLogProbs = offPolicy();
  const advantages = Float64Array.from({ length: rows }, () => random.normal());
  const responseMask = Int32Array.from({ length: rows }, () => 1);
  if (options.full !== true) {
    for (let s = 0; s < sequences; s++) {
      const length = s === 1 ? 0 : 1 + random.below(tokens);
      responseMask.fill(0, s * tokens + length, (s + 1) * tokens);
    }
  }
  return {
    ...shape,
    sequences,
    tokens,
    logits,
    maskedLogits,
    tokenIds,
    oldLogProbs,
    refLogProbs,
    advantages,
    responseMask,
  };
}

function logitPair(
  random: Random,
  distribution: DistributionName,
  isPeak: boolean,
): readonly [number, number] {
  const a = random.normal();
  const b = random.normal();
  switch (distribution) {
    case "plain":
    case "holes":
      return [2 * a, 2 * a + b];
    case "near":
      return [2 * a, 2 * a + 1e-4 * b];
    case "far":
      return [3 * a, 3 * b];
    case "peaked":
      return [a + (isPeak ? 30 : 0), b + (isPeak ? 28 : 0)];
    case "negative":
      return [a - 80, a + b - 90];
    case "wide":
      return [20 * a, 20 * a + 5 * b];
  }
}
