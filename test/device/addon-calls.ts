/** What the tests of the native doors to devices have in common. */
import { pbkdf2 } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import type {
  Binding,
  NativeArea,
  NativeBuffer,
  NativeDeviceInfo,
} from "../../lib/addon/binding.js";
import { addon as loaded } from "../../lib/addon/load.js";
import type { TensorArray } from "../../lib/core/dtype.js";
import type { Call, NativeTensor } from "../addon/native-call.js";

export const addon: Binding = loaded().binding;
/** The file it came from. */
export const path: string = loaded().path;
export const devices: readonly NativeDeviceInfo[] = addon.info().cuda.devices;
export const DEVICE = "cuda:0";
export const OTHER = "cuda:1";

/** The bytes of an array as an area of one row. */
export function areaOf(
  data: TensorArray | Uint8Array | NativeBuffer,
  byteOffset = 0,
  pitchBytes: number = 2 ** 40,
): NativeArea {
  return { data: data as TensorArray, byteOffset, pitchBytes };
}

/** A device buffer that holds what `array` does. */
export function upload(array: TensorArray, device: string = DEVICE): NativeBuffer {
  const buffer = addon.allocate(device, array.byteLength);
  addon.copy(areaOf(array), areaOf(buffer), 1, array.byteLength);
  return buffer;
}

/** What a buffer holds from some byte on, as float32. */
export function download(buffer: NativeBuffer, length: number, byteOffset = 0): Float32Array {
  const array = new Float32Array(length);
  addon.copy(areaOf(buffer, byteOffset), areaOf(array), 1, array.byteLength);
  return array;
}

/** 1, 2, 3, ... */
export function counted(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => i + 1);
}

/** Collects garbage and lets finalizers run. */
export async function collect(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await setImmediate();
  }
}

const hash = promisify(pbkdf2);

/** Gives every thread of Node's pool something to do: asynchronous calls made now begin later. */
export async function occupyThreads(): Promise<void> {
  await Promise.all(Array.from({ length: 4 }, () => hash("", "", 300_000, 64, "sha512")));
}

/** Bytes of the device that nobody has. */
export function freeBytes(device: string = DEVICE): number {
  return addon.memoryInfo(device).freeBytes;
}

/** token_stats of two policies, its logits where `matrix` puts them. */
export function statsCall(
  rows: number,
  vocab: number,
  matrix: (values: Float32Array) => TensorArray | NativeBuffer,
): { call: Call; statistics: Float64Array } {
  const statistics = new Float64Array(8 * rows);
  const logits = (scale: number): NativeTensor => {
    const values = Float32Array.from({ length: rows * vocab }, (_, i) => Math.sin(scale * i));
    return { data: matrix(values), dtype: "float32", rows, columns: vocab, rowPitch: vocab };
  };
  const ids = Int32Array.from({ length: rows }, (_, row) => (7 * row) % vocab);
  const call: Call = [
    "token_stats",
    {
      logits: logits(1.1),
      masked_logits: logits(1.3),
      token_ids: { data: ids, dtype: "int32", rows, columns: 1, rowPitch: 1 },
    },
    { statistics: { data: statistics, dtype: "float64", rows: 8, columns: rows, rowPitch: rows } },
    { temperature: 0.9 },
  ];
  return { call, statistics };
}

/** The addon with its types put aside: for what no type would let through. */
export const untyped = addon as unknown as Record<keyof Binding, (...args: unknown[]) => unknown>;
