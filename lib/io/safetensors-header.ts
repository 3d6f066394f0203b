/** The header of a safetensors file: read strictly, written stably. */
import { checkObject } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { type Shape, showShape } from "../core/shape.js";
import {
  bytesPerElement,
  DTYPE_NAMES,
  fileError,
  isSafetensorsDType,
  LENGTH_BYTES,
  MAX_HEADER_BYTES,
  type SafetensorsDType,
  type SafetensorsInfo,
  show,
  WHERE,
} from "./safetensors-format.js";

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads the header's JSON against the bytes that follow it.
 *
 * Beyond the types of all fields it demands that no name occurs twice, and that the tensors cover the data exactly:
 * each one's bytes are what its shape and dtype say, none overlap, and no byte is left over.
 */
export function parseHeader(
  path: string,
  header: Uint8Array,
  dataBytes: number,
): SafetensorsHeader {
  const json = parseJson(path, header);
  const tensors = new Map<string, SafetensorsInfo>();
  const metadata = new Map<string, string>();
  for (const [name, entry] of Object.entries(json)) {
    if (name === "__metadata__") {
      for (const [key, value] of Object.entries(objectOf(path, "__metadata__", entry))) {
        if (typeof value !== "string") {
          throw fileError(path, `__metadata__ ${show(key)} to be a string`, describe(value));
        }
        metadata.set(key, value);
      }
    } else {
      tensors.set(name, parseInfo(path, name, entry));
    }
  }
  checkCoverage(path, tensors, dataBytes);
  return { tensors, metadata };
}

function parseJson(path: string, header: Uint8Array): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch (cause) {
    throw fileError(path, "a header in UTF-8", "bytes that are not", cause);
  }
  if (!text.startsWith("{")) {
    const start = text === "" ? "nothing" : `one that begins with ${show(text.slice(0, 8))}`;
    throw fileError(path, "a header that begins with {", start);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fileError(
      path,
      "a header in JSON",
      `text that is not: ${(cause as Error).message}`,
      cause,
    );
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) throw fileError(path, "each name once", `${show(twice)} twice`);
  return json as Record<string, unknown>;
}

/** A key that an object of this valid JSON text has twice: `JSON.parse` would keep the last one silently. */
function repeatedKey(text: string): string | undefined {
  const objects: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "{") objects.push(new Set());
    else if (text[i] === "}") objects.pop();
    else if (text[i] === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === "\\") i++;
      const literal = text.slice(start, i + 1);
      while (" \n\r\t".includes(text[i + 1] as string)) i++;
      if (text[i + 1] !== ":") continue;
      const key = JSON.parse(literal) as string;
      const keys = objects.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}

function parseInfo(path: string, name: string, entry: unknown): SafetensorsInfo {
  const tensor = `tensor ${show(name)}`;
  const { dtype, shape, data_offsets: offsets } = objectOf(path, tensor, entry);
  if (!isSafetensorsDType(dtype)) {
    throw fileError(path, `the dtype of ${tensor} to be one of ${DTYPE_NAMES}`, describe(dtype));
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw fileError(path, `the shape of ${tensor} to be non-negative integers`, showJson(shape));
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw fileError(path, `the data_offsets of ${tensor} to be two byte counts`, showJson(offsets));
  }
  const [begin, end] = offsets as [number, number];
  const bytes = shape.reduce((size, n) => size * n, 1) * bytesPerElement(dtype);
  if (end - begin !== bytes) {
    const what = `${tensor} to take ${bytes} bytes (${dtype} ${showShape(shape)})`;
    throw fileError(path, what, `data_offsets [${begin}, ${end}]`);
  }
  return { dtype, shape: Object.freeze([...shape]), offsets: [begin, end] };
}

function checkCoverage(
  path: string,
  tensors: ReadonlyMap<string, SafetensorsInfo>,
  dataBytes: number,
): void {
  const inOrder = [...tensors].sort(
    ([, { offsets: a }], [, { offsets: b }]) => a[0] - b[0] || a[1] - b[1],
  );
  let position = 0;
  for (const [name, { offsets }] of inOrder) {
    if (offsets[1] > dataBytes) {
      const what = `tensor ${show(name)} within the ${dataBytes} bytes of data`;
      throw fileError(path, what, `data_offsets [${offsets.join(", ")}]`);
    }
    if (offsets[0] !== position) {
      const fault = offsets[0] < position ? "an overlap" : "a hole before it";
      const what = `tensor ${show(name)} to begin at byte ${position} of the data`;
      throw fileError(path, what, `${offsets[0]} (${fault})`);
    }
    position = offsets[1];
  }
  if (position !== dataBytes) {
    throw fileError(path, `${position} bytes of data after the header`, String(dataBytes));
  }
}

function objectOf(path: string, what: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw fileError(path, `${what} to be an object`, describe(value));
  }
  return value as Record<string, unknown>;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function showJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** What a tensor of a file to be written is. */
export interface SafetensorsEntry {
  /** Element type. */
  readonly dtype: SafetensorsDType;
  /** Sizes of the dimensions, outermost first; empty for a scalar. */
  readonly shape: Shape;
}

/** Header bytes, length included, and where each tensor goes. */
export interface EncodedHeader {
  readonly bytes: Uint8Array;
  readonly tensors: ReadonlyMap<string, SafetensorsInfo>;
  /** Bytes of data after the header. */
  readonly dataBytes: number;
}

/**
 * Lays tensors out and writes their header; the same tensors and metadata give the same bytes.
 *
 * Wide elements come first and the header is padded to 8 bytes, so that every tensor is aligned for readers that map
 * the file; names and metadata keys are in order.
 */
export function encodeHeader(
  entries: Readonly<Record<string, SafetensorsEntry>>,
  metadata: Readonly<Record<string, string>>,
): EncodedHeader {
  const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
    a < b ? -1 : a > b ? 1 : 0;
  checkObject(WHERE, "entries", entries);
  const laidOut = Object.entries(entries)
    .map(([name, entry]) => [name, checkEntry(name, entry)] as const)
    .sort((a, b) => bytesPerElement(b[1].dtype) - bytesPerElement(a[1].dtype) || byName(a, b));

  const tensors = new Map<string, SafetensorsInfo>();
  let position = 0;
  for (const [name, { dtype, shape }] of laidOut) {
    const end = position + shape.reduce((size, n) => size * n, bytesPerElement(dtype));
    if (!Number.isSafeInteger(end)) {
      throw expected("ERR_SHAPE", WHERE, `tensor ${show(name)} to fit a file`, showShape(shape));
    }
    tensors.set(name, { dtype, shape: Object.freeze([...shape]), offsets: [position, end] });
    position = end;
  }

  const fields: [string, unknown][] = [];
  const words = metadataEntries(metadata).sort(byName);
  if (words.length > 0) fields.push(["__metadata__", Object.fromEntries(words)]);
  for (const [name, { dtype, shape, offsets }] of tensors) {
    fields.push([name, { dtype, shape, data_offsets: offsets }]);
  }
  const lines = fields.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const json = Buffer.from(`{${lines.join(",")}}`, "utf8");
  const padded = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES;
  if (padded > MAX_HEADER_BYTES) {
    throw expected(
      "ERR_ARGUMENT",
      WHERE,
      `a header of at most ${MAX_HEADER_BYTES} bytes`,
      `${padded}`,
    );
  }
  const bytes = Buffer.alloc(LENGTH_BYTES + padded, " ");
  bytes.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(bytes, LENGTH_BYTES);
  return { bytes, tensors, dataBytes: position };
}

function checkEntry(name: string, entry: SafetensorsEntry): SafetensorsEntry {
  if (name === "__metadata__") {
    throw expected("ERR_ARGUMENT", WHERE, "another name for a tensor", show(name));
  }
  checkObject(WHERE, `tensor ${show(name)}`, entry);
  const { dtype, shape } = entry;
  if (!isSafetensorsDType(dtype)) {
    const what = `the dtype of ${show(name)} to be one of ${DTYPE_NAMES}`;
    throw expected("ERR_DTYPE", WHERE, what, describe(dtype));
  }
  const what = `the shape of ${show(name)} to be non-negative integers`;
  if (!Array.isArray(shape)) throw expected("ERR_SHAPE", WHERE, what, describe(shape));
  const sizes = Array.from({ length: shape.length }, (_, i): number => {
    const size: unknown = shape[i];
    if (isCount(size)) return size;
    throw expected("ERR_SHAPE", WHERE, what, `${describe(size)} at ${i}`);
  });
  return { dtype, shape: sizes };
}

function metadataEntries(metadata: unknown): [string, string][] {
  checkObject(WHERE, "metadata", metadata);
  return Object.entries(metadata).map(([key, value]: [string, unknown]) => {
    if (typeof value === "string") return [key, value];
    throw expected("ERR_ARGUMENT", WHERE, `metadata ${show(key)} to be a string`, describe(value));
  });
}
