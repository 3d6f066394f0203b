/** The header of a safetensors file to be written: the same tensors and metadata give the same bytes. */

import { checkObject } from "../core/arguments.js";
import { listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { type Shape, showShape } from "../core/shape.js";
import {
  bytesPerElement,
  DTYPE_NAMES,
  elementsOf,
  isSafetensorsDType,
  LENGTH_BYTES,
  MAX_DIMENSIONS,
  MAX_HEADER_BYTES,
  MAX_NAMES,
  type SafetensorsDType,
  type SafetensorsInfo,
  show,
  WHERE,
} from "./safetensors-format.js";

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
  checkNames("tensors", Object.keys(entries));
  const laidOut = Object.entries(entries)
    .map(([name, entry]) => [name, checkEntry(name, entry)] as const)
    .sort((a, b) => bytesPerElement(b[1].dtype) - bytesPerElement(a[1].dtype) || byName(a, b));

  const tensors = new Map<string, SafetensorsInfo>();
  let position = 0;
  for (const [name, { dtype, shape }] of laidOut) {
    const end = position + elementsOf(shape) * bytesPerElement(dtype);
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
  const length = listLength(shape);
  if (length === undefined || length > MAX_DIMENSIONS) {
    throw expected("ERR_SHAPE", WHERE, `${what}, at most ${MAX_DIMENSIONS}`, describe(shape));
  }
  const sizes = Array.from({ length }, (_, i): number => {
    const size: unknown = shape[i];
    if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) return size;
    throw expected("ERR_SHAPE", WHERE, what, `${describe(size)} at ${i}`);
  });
  return { dtype, shape: sizes };
}

/** What the format's readers refuse: half of a character in a name is no UTF-8. */
function checkNames(what: string, names: readonly string[]): void {
  if (names.length > MAX_NAMES) {
    throw expected("ERR_ARGUMENT", WHERE, `at most ${MAX_NAMES} ${what}`, String(names.length));
  }
  for (const name of names) checkCharacters("a name", name);
}

function checkCharacters(what: string, text: string): void {
  if (!/\p{Surrogate}/u.test(text)) return;
  throw expected("ERR_ARGUMENT", WHERE, `${what} of whole characters`, show(text));
}

function metadataEntries(metadata: unknown): [string, string][] {
  checkObject(WHERE, "metadata", metadata);
  checkNames("words of metadata", Object.keys(metadata));
  return Object.entries(metadata).map(([key, value]: [string, unknown]) => {
    if (typeof value === "string") {
      checkCharacters(`metadata ${show(key)}`, value);
      return [key, value];
    }
    throw expected("ERR_ARGUMENT", WHERE, `metadata ${show(key)} to be a string`, describe(value));
  });
}
