/** Good files to begin with. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { GOLDEN_NAMES, goldenPath } from "../support/golden.js";
import { safetensorsBytes } from "../support/safetensors-bytes.js";

/** One of each shape and dtype of the golden files. */
const CHOSEN =
  /^(tiny-plain-papo_(exact|exact-bf16|g_7b-f16|d)|odd-plain-papo_(exact-packed|g_3b)|odd-far-papo_token_sum)$/;

/** Golden batches by name. */
export const BATCHES: ReadonlyMap<string, Buffer> = new Map(
  GOLDEN_NAMES.filter((name) => CHOSEN.test(name)).map((name) => [
    name,
    readFileSync(goldenPath(name)),
  ]),
);

const U8 = (begin: number, end: number, shape = [end - begin]) => ({
  dtype: "U8",
  shape,
  data_offsets: [begin, end],
});

/** Files whose structure is most of them. */
export const SMALL_FILES: ReadonlyMap<string, Buffer> = new Map([
  ["nothing", safetensorsBytes("{}")],
  ["one", safetensorsBytes(JSON.stringify({ x: U8(0, 6, [2, 3]) }), Buffer.from("abcdef"))],
  [
    "several",
    safetensorsBytes(
      JSON.stringify({
        __metadata__: { objective: "{}", "": "é😀" },
        b: { dtype: "F32", shape: [2, 2], data_offsets: [8, 24] },
        a: { dtype: "I64", shape: [1], data_offsets: [0, 8] },
        none: { dtype: "BF16", shape: [3, 0], data_offsets: [24, 24] },
        scalar: U8(24, 25, []),
        more: { ...U8(25, 27), note: [1, { "]": "}" }] },
      }),
      Buffer.from(Array.from({ length: 27 }, (_, i) => i)),
    ),
  ],
]);

/** A name of one of them. */
export function nameIn(files: ReadonlyMap<string, Buffer>): fc.Arbitrary<string> {
  return fc.constantFrom(...files.keys());
}
