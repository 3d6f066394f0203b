/** The golden cases of `test/golden`, ready for the reference and for the engine. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import type { SafetensorsArrays } from "../../lib/io/safetensors-format.js";
import type { ObjectiveNumbers } from "../../lib/reference/index.js";
import { fromBfloat16, fromFloat16 } from "../../lib/tensor/half.js";

const FOLDER = fileURLToPath(new URL("../golden/", import.meta.url));

/** Names of all cases: files without their ending. */
export const GOLDEN_NAMES: readonly string[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".safetensors"))
  .map((file) => file.slice(0, -".safetensors".length))
  .sort();

/** Path of a case's file. */
export function goldenPath(name: string): string {
  return `${FOLDER}${name}.safetensors`;
}

/** Expected numbers by the name in the file without `expected.`; what the objective lacks is absent. */
export type GoldenExpected = ReadonlyMap<string, Float64Array>;

export interface GoldenCase {
  readonly name: string;
  readonly spec: Partial<ObjectiveNumbers>;
  /** dtype of the logits in the file. */
  readonly dtype: "float32" | "bfloat16" | "float16";
  /** As in the file: [S, L, V] or [rows, V]. */
  readonly shape: readonly number[];
  readonly rows: number;
  readonly vocabSize: number;
  /** Padded files. */
  readonly sequences: number | undefined;
  /** Packed files. */
  readonly cuSeqlens: Int32Array | undefined;
  /** As stored: bits in a Uint16Array for bfloat16 and float16. */
  readonly stored: {
    readonly logits: Float32Array | Uint16Array;
    readonly maskedLogits: Float32Array | Uint16Array;
  };
  /** The exact values of what is stored. */
  readonly logits: Float32Array;
  readonly maskedLogits: Float32Array;
  readonly tokenIds: Int32Array;
  readonly oldLogProbs: Float32Array;
  readonly refLogProbs: Float32Array;
  /** [rows] or [sequences]. */
  readonly advantages: Float32Array;
  readonly responseMask: Int32Array | undefined;
  readonly expected: GoldenExpected;
  /** Rows that count. */
  readonly counted: readonly number[];
}

const DTYPES = { F32: "float32", BF16: "bfloat16", F16: "float16" } as const;

/** Loads one case. */
export async function loadGolden(name: string): Promise<GoldenCase> {
  const file = await SafetensorsFile.open(goldenPath(name));
  try {
    const { dtype: stored, shape } = file.info("logits");
    const dtype = DTYPES[stored as keyof typeof DTYPES];
    const read = async <D extends keyof SafetensorsArrays>(key: string, _: D) =>
      (await file.read(key)) as SafetensorsArrays[D];
    const logits = (await file.read("logits")) as Float32Array | Uint16Array;
    const maskedLogits = (await file.read("masked_logits")) as Float32Array | Uint16Array;
    const values = (array: Float32Array | Uint16Array): Float32Array =>
      array instanceof Float32Array
        ? array
        : dtype === "bfloat16"
          ? fromBfloat16(array)
          : fromFloat16(array);

    const expected = new Map<string, Float64Array>();
    for (const key of file.tensors.keys()) {
      if (!key.startsWith("expected.")) continue;
      expected.set(key.slice("expected.".length), await read(key, "F64"));
    }
    const rows = shape.slice(0, -1).reduce((size, n) => size * n, 1);
    const mask = file.tensors.has("response_mask") ? await read("response_mask", "F32") : undefined;
    const packed = file.tensors.has("cu_seqlens");
    return {
      name,
      spec: JSON.parse(file.metadata.get("objective") as string) as Partial<ObjectiveNumbers>,
      dtype,
      shape,
      rows,
      vocabSize: shape.at(-1) as number,
      sequences: packed ? undefined : shape[0],
      cuSeqlens: packed ? await read("cu_seqlens", "I32") : undefined,
      stored: { logits, maskedLogits },
      logits: values(logits),
      maskedLogits: values(maskedLogits),
      tokenIds: await read("token_ids", "I32"),
      oldLogProbs: await read("old_log_probs", "F32"),
      refLogProbs: await read("ref_log_probs", "F32"),
      advantages: await read("advantages", "F32"),
      responseMask: mask && Int32Array.from(mask),
      expected,
      counted: Array.from({ length: rows }, (_, row) => row).filter((row) => mask?.[row] !== 0),
    };
  } finally {
    await file.close();
  }
}
