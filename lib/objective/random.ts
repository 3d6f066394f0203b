/** Seeded uniform numbers, for what an objective draws. */
import { describe, expected } from "../core/errors.js";
import type { SurrogateSpec } from "../surrogates/table.js";
import { surrogateOf } from "./surrogate-spec.js";

/**
 * Uniform numbers in [0, 1), the same for the same seed everywhere (splitmix32).
 *
 * @param seed  of the evaluation; where the surrogate draws it has to be given, since an unseeded draw cannot be repeated
 * @throws PapoError ERR_ARGUMENT without it, whether or not this batch leaves anything to draw
 */
export function uniformFor(
  where: string,
  surrogate: SurrogateSpec,
  seed: number | undefined,
): () => number {
  if (seed === undefined && surrogateOf(surrogate).draws) {
    const what = `seed, since surrogate "${surrogate.kind}" draws tokens`;
    throw expected("ERR_ARGUMENT", where, what, "none");
  }
  let state = (seed ?? 0) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Throws ERR_RANGE for what is no integer of 32 bits. */
export function checkSeed(where: string, seed: unknown): void {
  if (typeof seed === "number" && Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return;
  throw expected("ERR_RANGE", where, "seed to be an integer in 0…2^32 − 1", describe(seed));
}
