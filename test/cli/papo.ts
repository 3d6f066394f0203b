/** The command in this process, with streams that remember, and batch files to break. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { run } from "../../lib/cli/run.js";
import { SafetensorsFile } from "../../lib/io/safetensors.js";
import { SafetensorsWriter } from "../../lib/io/safetensors-writer.js";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly isTTY?: boolean;
  readonly env?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** Runs `papo ARGS…`. */
export async function papo(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { isTTY = false, env = {}, signal } = options;
  const written = { stdout: "", stderr: "" };
  const output = (name: "stdout" | "stderr") => ({
    isTTY,
    write: (text: string) => {
      written[name] += text;
    },
  });
  const streams = { stdout: output("stdout"), stderr: output("stderr") };
  const code = await run(args, { ...streams, env, signal });
  return { code, ...written };
}

/** Runs `papo ARGS… --json` and reads its one document. */
// biome-ignore lint/suspicious/noExplicitAny: a document is looked into freely
export async function papoJson(args: readonly string[]): Promise<Ran & { readonly json: any }> {
  const ran = await papo([...args, "--json"]);
  return { ...ran, json: JSON.parse(ran.stdout) };
}

/** A folder that is gone after the test. */
export function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), "papo-cli-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Everything in a folder. */
export function namesIn(path: string): string[] {
  return readdirSync(path).sort();
}

type Entry = { dtype: string; shape: readonly number[]; data_offsets: readonly [number, number] };
type Header = Record<string, Entry> & { __metadata__?: Record<string, string> };

type Values = Float32Array | Float64Array | Int32Array | Uint16Array;
const ARRAYS = { F64: Float64Array, F32: Float32Array, I32: Int32Array };

/** A batch file in memory whose bytes can be changed, the header's included. */
export class BatchBytes {
  readonly header: Header;
  readonly data: Buffer;
  readonly #changed = new Map<string, Values>();

  constructor(path: string) {
    const bytes = readFileSync(path);
    const end = 8 + Number(bytes.readBigUInt64LE(0));
    this.header = JSON.parse(bytes.toString("utf8", 8, end)) as Header;
    this.data = Buffer.from(bytes.subarray(end));
  }

  /** A tensor's numbers; what is written to them is in the file that `write` makes. */
  array(name: string): Values {
    const changed = this.#changed.get(name);
    if (changed) return changed;
    const { dtype, data_offsets } = this.header[name] as Entry;
    // A copy: tensors in a file need not be aligned.
    const { buffer } = Uint8Array.from(this.data.subarray(...data_offsets));
    const values = new (ARRAYS[dtype as keyof typeof ARRAYS] ?? Uint16Array)(buffer);
    this.#changed.set(name, values);
    return values;
  }

  write(path: string): string {
    for (const [name, { buffer }] of this.#changed) {
      this.data.set(new Uint8Array(buffer), (this.header[name] as Entry).data_offsets[0]);
    }
    const json = Buffer.from(JSON.stringify(this.header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(path, Buffer.concat([length, json, this.data]));
    return path;
  }
}

/** Tensors of a file to be written; a name with undefined is left out. */
export type Changes = Record<
  string,
  { dtype: string; shape: readonly number[]; data: ArrayBufferView } | undefined
>;

/** Copies a batch file with tensors replaced, added or left out. */
export async function rewrite(
  source: string,
  target: string,
  changes: Changes,
  metadata?: Record<string, string>,
): Promise<string> {
  const file = await SafetensorsFile.open(source);
  const entries: Changes = {};
  for (const [name, { dtype, shape }] of file.tensors) {
    if (name in changes) continue;
    entries[name] = { dtype, shape, data: await file.read(name) };
  }
  for (const [name, entry] of Object.entries(changes)) if (entry) entries[name] = entry;
  await file.close();
  const writer = await SafetensorsWriter.create(
    target,
    entries as never,
    metadata ?? Object.fromEntries(file.metadata),
  );
  for (const [name, entry] of Object.entries(entries)) {
    if (entry) await writer.write(name, entry.data);
  }
  await writer.finish();
  return target;
}
