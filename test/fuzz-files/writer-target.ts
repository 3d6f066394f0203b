/** Tensors of any name, shape and dtype: refused at the start, or written as the format wants it and read back. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { SafetensorsWriter } from "../../lib/io/safetensors-writer.js";
import { checkError } from "./judge.js";
import { tensorsOf } from "./oracle.js";
import { Outcomes } from "./outcomes.js";
import { checkFile } from "./reader-target.js";
import type { Target } from "./targets.js";

const outcomes = new Outcomes();

const ARRAYS = {
  ...{ F64: Float64Array, F32: Float32Array, F16: Uint16Array, BF16: Uint16Array },
  ...{ I64: BigInt64Array, I32: Int32Array, U8: Uint8Array, BOOL: Uint8Array },
};
type DType = keyof typeof ARRAYS;

const name = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.string({ maxLength: 6 }),
  fc.constantFrom("__proto__", "__metadata__", "1", "0", "constructor", "\ud800", "\u001b[m", ""),
);
const size = fc.oneof(
  { weight: 8, arbitrary: fc.nat(5) },
  fc.constantFrom(-1, 0.5, 2 ** 53, 2 ** 53 - 1, Number.NaN, -0, 1e300),
);
const entries = fc.array(
  fc.tuple(
    name,
    fc.record({
      dtype: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...Object.keys(ARRAYS)) },
        fc.constantFrom("F8", "toString"),
      ),
      shape: fc.array(size, { maxLength: 3 }),
    }),
  ),
  { maxLength: 6 },
);
const metadata = fc.array(fc.tuple(name, fc.string({ unit: "binary" })), { maxLength: 3 });

async function check(
  path: string,
  given: Record<string, { dtype: string; shape: number[] }>,
  words: Record<string, string>,
): Promise<void> {
  rmSync(path, { force: true });
  let writer: SafetensorsWriter;
  try {
    writer = await SafetensorsWriter.create(path, given as never, words);
  } catch (error) {
    checkError(error, ["ERR_ARGUMENT", "ERR_SHAPE", "ERR_DTYPE", "ERR_FILE"]);
    outcomes.add("refused");
    if (existsSync(path)) throw new Error("there is a file");
    return;
  }
  try {
    for (const [key, { dtype, offsets }] of writer.tensors) {
      const bytes = new Uint8Array(offsets[1] - offsets[0]).fill(key.length + 1);
      await writer.write(key, new ARRAYS[dtype as DType](bytes.buffer));
    }
    await writer.finish();
  } finally {
    await writer.abandon();
  }
  outcomes.add("written");
  const file = readFileSync(path);
  const tensors = tensorsOf(file);
  if (tensors?.size !== Object.keys(given).length) throw new Error("not the tensors it was given");
  for (const [key, { bytes }] of tensors) {
    if (bytes.some((byte) => byte !== key.length + 1)) throw new Error(`${key} is another`);
  }
  await checkFile(path, file);
}

export const writerTarget: Target = {
  name: "writer",
  share: 0.05,
  outcomes,
  property: (folder) =>
    fc.asyncProperty(entries, metadata, async (given, words) => {
      const path = join(folder, "writer.safetensors");
      await check(path, Object.fromEntries(given), Object.fromEntries(words));
    }),
};
