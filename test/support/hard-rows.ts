/** Rows of logits that are hard to get right. */
import { Random } from "./inputs.js";

/**
 * What the two policies of a row look like.
 *
 * - `plain`      logits around 0, a masked policy that differs mildly
 * - `far`        a masked policy of its own
 * - `peaked`     one token has all of the mass but 1e-7, and another one was sampled
 * - `sure`       the same, and it was sampled: what most tokens of a trained policy are
 * - `wide`       a range of ±90: a few tokens share the mass
 * - `huge`       logits around 10 000, where float32 has steps of 0.001
 * - `negative`   every logit far below 0
 * - `holes`      a fifth of the columns −Infinity, in both policies
 * - `ascending`  from −20 to 20 along the vocabulary: the worst case of a softmax whose reference follows the row
 * - `flat`       every token about as likely as any other
 * - `ties`       whole numbers: many tokens share each probability, the largest too
 * - `oneHot`     a logit that is 100 above all others, whose mass float32 cannot hold beside it
 * - `banned`     all columns but some 30 −Infinity in both policies, as in constrained decoding
 * - `near`       two policies whose KL is about `kl`
 */
export const HARD_ROWS = [
  "plain",
  "far",
  "peaked",
  "sure",
  "wide",
  "huge",
  "negative",
  "holes",
  "ascending",
  "flat",
  "ties",
  "oneHot",
  "banned",
] as const;
export type HardRow = (typeof HARD_ROWS)[number] | "near";

/** KLs of the `near` rows: where the sums of one pass stop being enough, down to where float32 logits stop differing. */
export const NEAR_KLS = [
  1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12,
] as const;

export interface RowPair {
  readonly logits: Float32Array;
  readonly maskedLogits: Float32Array;
  readonly tokenId: number;
}

/** One row; the same arguments give the same row. Odd seeds sample the likeliest token where the name does not say. */
export function hardRow(name: HardRow, vocabSize: number, seed: number, kl = 0): RowPair {
  const random = new Random(seed * 1_000_003 + vocabSize);
  const logits = new Float32Array(vocabSize);
  const maskedLogits = new Float32Array(vocabSize);
  const peak = random.below(vocabSize);
  const sampled = name === "sure" ? peak : (peak + 1 + random.below(vocabSize - 1)) % vocabSize;
  const distance = Math.sqrt(2 * kl);
  let likeliest = 0;
  for (let v = 0; v < vocabSize; v++) {
    const [a, b] = [random.normal(), random.normal()];
    const holes = name === "holes" ? 0.2 : name === "banned" ? 1 - 32 / vocabSize : 0;
    const isHole = holes > 0 && v !== sampled && random.uniform() < holes;
    const [own, masked] = isHole
      ? [-Infinity, -Infinity]
      : pair(name, a, b, v / vocabSize, v === peak, distance);
    logits[v] = own;
    maskedLogits[v] = masked;
    if (own > (logits[likeliest] as number)) likeliest = v;
  }
  const tokenId = seed % 2 === 1 && name !== "peaked" ? likeliest : sampled;
  return { logits, maskedLogits, tokenId };
}

function pair(
  name: HardRow,
  a: number,
  b: number,
  place: number,
  isPeak: boolean,
  distance: number,
): readonly [number, number] {
  switch (name) {
    case "plain":
    case "holes":
      return [2 * a, 2 * a + b];
    case "far":
      return [3 * a, 3 * b];
    case "peaked":
    case "sure":
      return [a + (isPeak ? 30 : 0), b + (isPeak ? 28 : 0)];
    case "wide":
      return [20 * a, 20 * a + 5 * b];
    case "huge":
      return [1e4 + 4 * a, 1e4 + 4 * a + b];
    case "negative":
      return [a - 80, a + b - 90];
    case "ascending":
      return [40 * place - 20 + 0.1 * a, 40 * place - 20 + 0.1 * a + 0.1 * b];
    case "flat":
      return [1e-3 * a, 1e-3 * b];
    case "ties":
      return [Math.round(a), Math.round(a + b / 2)];
    case "oneHot":
      return [a + (isPeak ? 100 : 0), b + (isPeak ? 90 : 0)];
    case "banned":
      return [2 * a, 2 * a + b];
    case "near":
      return [2 * a, 2 * a + distance * b];
  }
}
