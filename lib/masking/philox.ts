/** Philox4x32-10: random words as a function of a counter and a key, so that no draw depends on another. */

/** A block of four words of 32 bits. */
export type PhiloxBlock = readonly [number, number, number, number];

/** What a draw is for: uniforms of one purpose never meet those of another. */
export const PURPOSES = { patches: 0, noise: 1 } as const;
export type Purpose = keyof typeof PURPOSES;

/** Whose mask it is; all integers. */
export interface DrawKey {
  /** 0 … 2^53 − 1 */
  readonly seed: number;
  /** 0 … 2^32 − 1 */
  readonly step: number;
  /** 0 … 2^32 − 1 */
  readonly prompt: number;
  /** Image of the prompt, 0 … 2^30 − 1. */
  readonly imageIndex: number;
}

/**
 * The four words of a counter under a key, all uint32; nothing is checked here.
 *
 * @see J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); the same words as Random123, cuRAND
 * and PyTorch's CUDA generator make of the same counter and key
 */
export function philoxBlock(counter: PhiloxBlock, key: readonly [number, number]): PhiloxBlock {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = highWord(0xd2511f53, c0);
    const high1 = highWord(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Upper 32 bits of the product of two uint32: a float64 does not hold all 64, halves of 16 bits do. */
function highWord(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const other = a0 * b1 + (middle & 0xffff);
  return a1 * b1 + (middle >>> 16) + (other >>> 16);
}

/**
 * Uniform numbers in [0, 1) of 53 bits. Uniform i comes of the words a, b of block ⌊i / 2⌋, the first two for even i and
 * the last two for odd i: (⌊a / 2^5⌋ · 2^26 + ⌊b / 2^6⌋) / 2^53. The block's counter is
 * [⌊i / 2⌋, 4 · imageIndex + purpose, prompt, step], its key [seed mod 2^32, ⌊seed / 2^32⌋]. Nothing is checked here.
 */
export function keyedUniforms(draw: DrawKey, purpose: Purpose): () => number {
  const { seed, step, prompt, imageIndex } = draw;
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)] as const;
  const of = 4 * imageIndex + PURPOSES[purpose];
  let block: PhiloxBlock = [0, 0, 0, 0];
  let drawn = 0;
  return () => {
    const odd = drawn % 2 === 1;
    if (!odd) block = philoxBlock([(drawn / 2) % 2 ** 32, of, prompt, step], key);
    drawn++;
    const [a, b] = odd ? [block[2], block[3]] : [block[0], block[1]];
    return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53;
  };
}
