/** Saliency of patches from the attention of a vision transformer. */
import { readOptions } from "../core/arguments.js";
import { arrayLength, listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { countOf } from "./grid.js";
import { integerBelow } from "./uniforms.js";

/** Numbers per attention weight or patch. */
export type SaliencyNumbers = readonly number[] | Float64Array | Float32Array;

/** Options of `attentionSaliency`. */
export interface AttentionSaliencyOptions {
  /**
   * Attention weights of each layer that counts, [heads, tokens, tokens] in one row-major array per layer: row j is
   * how token j attends. The paper takes layers 6, 7, 8 and 9 of DINOv2.
   */
  readonly layers: readonly SaliencyNumbers[];
  /** Tokens N of the encoder, those before the patches included. */
  readonly tokens: number;
  /** Tokens before the patches: 1 (default), the CLS token; with register tokens 1 + their number. */
  readonly prefixTokens?: number | undefined;
}

/**
 * [tokens − prefixTokens] how much attention every patch receives: s_i = Σ_j A[j, i] over the rows j that are patches
 * themselves (the CLS row and registers do not count), the mean of all heads, then the mean of the layers, in float64.
 *
 * Hand it to a mask as `saliency` with `grid: [columns, rows]` of the encoder's patches; the strategy "saliency" then
 * masks the k = ⌊ratio · patches⌋ with the largest values, patches = N − 1 for the paper's k = ⌊p(N − 1)⌋.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE, ERR_NOT_FINITE
 * @see PAPO (arXiv 2507.06448), appendix G.2; its authors released no code of it
 */
export function attentionSaliency(options: AttentionSaliencyOptions): Float64Array {
  const where = "attentionSaliency";
  const given = readOptions(where, options, ["layers", "tokens", "prefixTokens"]);
  const tokens = countOf(where, "tokens", given.tokens, 2 ** 16);
  const prefix = integerBelow(where, "prefixTokens", given.prefixTokens ?? 1, 2 ** 16);
  if (prefix >= tokens) {
    throw expected(
      "ERR_SHAPE",
      where,
      `tokens to be more than ${prefix} before patches`,
      `${tokens}`,
    );
  }
  const { layers } = given;
  const count = listLength(layers) ?? 0;
  if (count === 0) {
    throw expected("ERR_ARGUMENT", where, "layers to be an array of layers", describe(layers));
  }
  const saliency = new Float64Array(tokens - prefix);
  for (let layer = 0; layer < count; layer++) {
    const received = receivedOf(where, `layers[${layer}]`, layers[layer], tokens, prefix);
    for (let i = 0; i < saliency.length; i++) {
      saliency[i] = (saliency[i] as number) + (received[i] as number) / count;
    }
  }
  return saliency;
}

/** Mean over the heads of what each patch receives from all patches. */
function receivedOf(
  where: string,
  name: string,
  layer: unknown,
  tokens: number,
  prefix: number,
): Float64Array {
  const length = arrayLength(layer);
  const perHead = tokens * tokens;
  if (length === undefined || length === 0 || length % perHead !== 0) {
    const code = length === undefined ? "ERR_ARGUMENT" : "ERR_SHAPE";
    const what = `${name} to be an array of [heads, ${tokens}, ${tokens}] numbers`;
    throw expected(code, where, what, describe(layer));
  }
  const heads = length / perHead;
  const received = new Float64Array(tokens - prefix);
  for (let head = 0; head < heads; head++) {
    for (let row = prefix; row < tokens; row++) {
      const begin = head * perHead + row * tokens + prefix;
      for (let i = 0; i < received.length; i++) {
        const weight: unknown = (layer as ArrayLike<unknown>)[begin + i];
        received[i] = (received[i] as number) + finite(where, name, begin + i, weight);
      }
    }
  }
  return received.map((sum) => sum / heads);
}

function finite(where: string, name: string, index: number, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  const code = typeof value === "number" ? "ERR_NOT_FINITE" : "ERR_ARGUMENT";
  throw expected(code, where, `${name}[${index}] to be a finite number`, describe(value));
}

/** [count] float64 copy of a saliency map; NaN, which has no place in an order, throws ERR_NOT_FINITE. */
export function readSaliency(
  where: string,
  name: string,
  value: unknown,
  count: number,
): Float64Array {
  const length = arrayLength(value);
  if (length !== count) {
    const code = length === undefined ? "ERR_ARGUMENT" : "ERR_SHAPE";
    const what = `${name} to be an array of ${count} numbers, one for each patch`;
    throw expected(code, where, what, describe(value));
  }
  return Float64Array.from({ length: count }, (_, i) => {
    const entry: unknown = (value as ArrayLike<unknown>)[i];
    if (typeof entry === "number" && !Number.isNaN(entry)) return entry;
    const code = typeof entry === "number" ? "ERR_NOT_FINITE" : "ERR_ARGUMENT";
    throw expected(code, where, `${name}[${i}] to be a number`, describe(entry));
  });
}
