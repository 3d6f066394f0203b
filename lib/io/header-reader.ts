/** Strict reading of a safetensors header: every field of it, and the tensors against the bytes that follow. */
import { isUtf8 } from "node:buffer";
import { showShape } from "../core/shape.js";
import { HeaderJson } from "./header-json.js";
import {
  bytesPerElement,
  DTYPE_NAMES,
  elementsOf,
  fileError,
  isSafetensorsDType,
  MAX_DIMENSIONS,
  MAX_NAMES,
  type SafetensorsDType,
  type SafetensorsInfo,
  show,
} from "./safetensors-format.js";

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads the header's JSON against the bytes that follow it.
 *
 * Beyond the types of all fields it demands that no name occurs twice, that counts are written in digits alone, and that
 * the tensors cover the data exactly: each one's bytes are what its shape and dtype say, none overlap, and no byte is
 * left over. What else a tensor says is passed over, as the format's own reader does.
 */
export function parseHeader(path: string, header: Buffer, dataBytes: number): SafetensorsHeader {
  if (!isUtf8(header)) throw fileError(path, "a header in UTF-8", "bytes that are not");
  const start = header.toString("utf8", 0, 8);
  if (!start.startsWith("{")) {
    const received = start === "" ? "nothing" : `one that begins with ${show(start)}`;
    throw fileError(path, "a header that begins with {", received);
  }
  const json = new HeaderJson(header, (received) =>
    fileError(path, "a header in JSON", `text that is not: ${received}`),
  );
  const tensors = new Map<string, SafetensorsInfo>();
  let metadata: ReadonlyMap<string, string> | undefined;
  json.members((name) => {
    if (name === "__metadata__") {
      checkNew(path, name, metadata === undefined, 0);
      metadata = readMetadata(path, json);
    } else {
      checkNew(path, name, !tensors.has(name), tensors.size);
      tensors.set(name, readInfo(path, `tensor ${show(name)}`, json));
    }
  });
  json.end();
  checkCoverage(path, tensors, dataBytes);
  return { tensors, metadata: metadata ?? new Map() };
}

function checkNew(path: string, name: string, isNew: boolean, before: number): void {
  if (!isNew) throw fileError(path, "each name once", `${show(name)} twice`);
  if (before === MAX_NAMES) throw fileError(path, `at most ${MAX_NAMES} names`, "more");
}

function readMetadata(path: string, json: HeaderJson): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  checkObject(path, "__metadata__", json);
  json.members((key) => {
    checkNew(path, key, !metadata.has(key), metadata.size);
    if (json.next() !== '"') {
      throw fileError(path, `__metadata__ ${show(key)} to be a string`, json.excerpt());
    }
    metadata.set(key, json.text());
  });
  return metadata;
}

/** What the format has in a tensor's entry; each is undefined where it is missing. */
interface Fields {
  dtype?: SafetensorsDType;
  shape?: readonly number[];
  data_offsets?: readonly number[];
}

function readInfo(path: string, tensor: string, json: HeaderJson): SafetensorsInfo {
  const fields: Fields = {};
  checkObject(path, tensor, json);
  json.members((name) => {
    if (name !== "dtype" && name !== "shape" && name !== "data_offsets") return json.skip();
    checkNew(path, name, fields[name] === undefined, 0);
    if (name === "dtype") fields.dtype = readDType(path, tensor, json);
    else if (name === "shape") fields.shape = readShape(path, tensor, json);
    else fields.data_offsets = readOffsets(path, tensor, json);
  });
  const { dtype, shape, data_offsets } = fields;
  if (dtype === undefined) throw dtypeError(path, tensor, "nothing");
  if (shape === undefined) throw shapeError(path, tensor, "nothing");
  if (data_offsets === undefined) throw offsetsError(path, tensor, "nothing");
  const [begin, end] = data_offsets as [number, number];
  const bytes = elementsOf(shape) * bytesPerElement(dtype);
  if (!Number.isSafeInteger(bytes)) {
    throw fileError(path, `${tensor} to take less than 2^53 bytes`, showShape(shape));
  }
  if (end - begin !== bytes) {
    const what = `${tensor} to take ${bytes} bytes (${dtype} ${showShape(shape)})`;
    throw fileError(path, what, `data_offsets [${begin}, ${end}]`);
  }
  return { dtype, shape: Object.freeze(shape), offsets: [begin, end] };
}

function readDType(path: string, tensor: string, json: HeaderJson): SafetensorsDType {
  if (json.next() !== '"') throw dtypeError(path, tensor, json.excerpt());
  const dtype = json.text();
  if (isSafetensorsDType(dtype)) return dtype;
  throw dtypeError(path, tensor, show(dtype));
}

function readShape(path: string, tensor: string, json: HeaderJson): readonly number[] {
  const shape = json.counts(MAX_DIMENSIONS);
  if (shape === undefined) throw shapeError(path, tensor, json.excerpt());
  return shape;
}

function readOffsets(path: string, tensor: string, json: HeaderJson): readonly number[] {
  const offsets = json.counts(2);
  if (offsets?.length === 2) return offsets;
  throw offsetsError(path, tensor, offsets ? `[${offsets.join(", ")}]` : json.excerpt());
}

function dtypeError(path: string, tensor: string, received: string): Error {
  return fileError(path, `the dtype of ${tensor} to be one of ${DTYPE_NAMES}`, received);
}

function shapeError(path: string, tensor: string, received: string): Error {
  const what = `the shape of ${tensor} to be non-negative integers, at most ${MAX_DIMENSIONS}`;
  return fileError(path, what, received);
}

function offsetsError(path: string, tensor: string, received: string): Error {
  return fileError(path, `the data_offsets of ${tensor} to be two byte counts`, received);
}

function checkObject(path: string, what: string, json: HeaderJson): void {
  if (json.next() !== "{") throw fileError(path, `${what} to be an object`, json.excerpt());
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
