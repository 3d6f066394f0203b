/** Files whose every byte says which version they are, so that a mixture of two shows. */
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import { SafetensorsWriter } from "../../lib/io/safetensors-writer.js";

const ROWS = 300;
const COLUMNS = 1000;

/** Writes a version, in pieces from the end to the beginning. */
export async function writeVersion(path: string, version: number): Promise<void> {
  await using writer = await SafetensorsWriter.create(
    path,
    { x: { dtype: "I32", shape: [ROWS, COLUMNS] } },
    { version: String(version) },
  );
  const rows = new Int32Array(100 * COLUMNS).fill(version);
  for (let row = ROWS - 100; row >= 0; row -= 100) await writer.writeRows("x", row, rows);
  await writer.finish();
}

/** Which version a file is; throws where it is not whole, or of two. */
export async function versionOf(path: string): Promise<number> {
  await using file = await SafetensorsFile.open(path);
  const version = Number(file.metadata.get("version"));
  const values = (await file.read("x")) as Int32Array;
  const stranger = values.find((value) => value !== version);
  if (stranger === undefined && values.length === ROWS * COLUMNS) return version;
  throw new Error(`${values.length} values of version ${version}, and ${stranger} among them`);
}
