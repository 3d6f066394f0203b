/** Checkpoints: one safetensors file, complete or not there at all, that a run goes on from to the same numbers. */
import { stat } from "node:fs/promises";
import { SafetensorsFile, SafetensorsWriter } from "../../lib/index.js";

/** Vectors by name. */
export type Tensors = Readonly<Record<string, Float32Array>>;

/**
 * Writes vectors and JSON values. The bytes go to a file beside the target, which takes its name when all of them are on
 * the disk: a process that is killed on the way leaves the old file as it was.
 */
export async function writeTensors(
  path: string,
  tensors: Tensors,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const entries = Object.entries(tensors).map(
    ([name, { length }]) => [name, { dtype: "F32", shape: [length] }] as const,
  );
  const metadata = Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)]);
  await using writer = await SafetensorsWriter.create(
    path,
    Object.fromEntries(entries),
    Object.fromEntries(metadata),
  );
  for (const [name, data] of Object.entries(tensors)) await writer.write(name, data);
  await writer.finish();
}

/** The vectors of a file. */
export async function readTensors(path: string): Promise<Partial<Record<string, Float32Array>>> {
  await using file = await SafetensorsFile.open(path);
  const tensors: Record<string, Float32Array> = {};
  for (const name of file.tensors.keys()) {
    const data = await file.read(name);
    if (data instanceof Float32Array) tensors[name] = data;
  }
  return tensors;
}

/** The JSON value of a file under a name; undefined where it has none. */
export async function readValue(path: string, name: string): Promise<unknown> {
  await using file = await SafetensorsFile.open(path);
  const text = file.metadata.get(name);
  return text === undefined ? undefined : JSON.parse(text);
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
