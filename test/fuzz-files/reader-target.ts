/** Spoiled safetensors files: opened exactly where the rules of the format are kept, and then with the right bytes. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import { checkError } from "./judge.js";
import { mutations, spoiled } from "./mutations.js";
import { tensorsOf } from "./oracle.js";
import { Outcomes } from "./outcomes.js";
import { BATCHES, nameIn, SMALL_FILES } from "./seeds.js";
import type { Target } from "./targets.js";

const FILES = new Map([...SMALL_FILES, ...BATCHES]);
const outcomes = new Outcomes();

/** Opens a file and reads everything; throws where that is not what the format says. */
export async function checkFile(path: string, bytes: Buffer): Promise<void> {
  const expected = tensorsOf(bytes);
  let file: SafetensorsFile;
  try {
    file = await SafetensorsFile.open(path);
  } catch (error) {
    checkError(error, ["ERR_FILE"], `[safetensors: ${path}] expected `);
    outcomes.add("refused");
    if (expected) throw new Error("a good file is refused", { cause: error });
    return;
  }
  try {
    outcomes.add("read");
    if (!expected) throw new Error("a file that breaks the format is opened");
    const names = [...expected.keys()];
    if ([...file.tensors.keys()].join() !== names.join()) throw new Error("other names");
    for (const [name, { dtype, shape, bytes }] of expected) {
      const info = file.info(name);
      if (info.dtype !== dtype || info.shape.join() !== shape.join()) throw new Error(name);
      const { buffer, byteLength } = await file.read(name);
      if (Buffer.compare(new Uint8Array(buffer, 0, byteLength), bytes) !== 0) throw new Error(name);
    }
  } finally {
    await file.close();
  }
}

export const readerTarget: Target = {
  name: "reader",
  share: 0.35,
  outcomes,
  property: (folder) =>
    fc.asyncProperty(nameIn(FILES), mutations, async (name, list) => {
      const bytes = spoiled(FILES.get(name) as Buffer, list);
      const path = join(folder, "reader.safetensors");
      writeFileSync(path, bytes);
      await checkFile(path, bytes);
    }),
};
