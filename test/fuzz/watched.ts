/** The caller's memory under watch: guard zones around it, and what was in it before a call. */
import * as papo from "../../lib/index.js";
import { isContainer } from "./cases.js";
import { moved } from "./ways.js";

/** Bytes before and after; more than the widest vector a kernel loads. */
const GUARD = 64;
const PATTERN = 0xa5;

type TypedArray = Float32Array;

/** Some memory of a call. */
export interface Memory {
  readonly place: string;
  readonly view: ArrayBufferView;
  /** Of the whole buffer, before the call. */
  readonly before: Uint8Array;
}

/** Moves every array and tensor of the host among `fields` into a buffer with guard zones; `shift` -1 leaves them. */
export function guarded(fields: Record<string, unknown>, shift: number): void {
  if (shift < 0) return;
  const copies = new Map<unknown, unknown>();
  for (const { holder, key, value } of leaves(fields)) {
    if (!copies.has(value)) copies.set(value, guardedCopy(value, shift));
    holder[key] = copies.get(value);
  }
}

/** All of the caller's memory that is reached from `fields`, as it is now. */
export function memoryOf(fields: Record<string, unknown>): Memory[] {
  return [...leaves(fields)].flatMap(({ place, value }) => {
    const view = viewOf(value);
    if (view === undefined || !(view.buffer instanceof ArrayBuffer)) return [];
    return [{ place, view, before: new Uint8Array(view.buffer).slice() }];
  });
}

/** What of some memory is not as it was: nothing, its guard zones, or what lies between. */
export function changeOf({ view, before }: Memory): "none" | "guard" | "inside" {
  const buffer = view.buffer as ArrayBuffer;
  const now = new Uint8Array(buffer.byteLength === 0 ? (moved.get(buffer) ?? before) : buffer);
  if (Buffer.compare(now, before) === 0) return "none";
  const hasGuards = before.length >= 2 * GUARD && before[0] === PATTERN;
  const outside = [
    [0, GUARD],
    [before.length - GUARD, before.length],
  ] as const;
  const same = ([begin, end]: readonly [number, number]) =>
    Buffer.compare(now.subarray(begin, end), before.subarray(begin, end)) === 0;
  return hasGuards && !outside.every(same) ? "guard" : "inside";
}

interface Leaf {
  readonly holder: Record<string, unknown>;
  readonly key: string;
  readonly place: string;
  readonly value: unknown;
}

function* leaves(fields: Record<string, unknown>, path = "", depth = 4): Generator<Leaf> {
  if (Object.isFrozen(fields)) return;
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    const place = path === "" ? key : `${path}.${key}`;
    if (ArrayBuffer.isView(value) || value instanceof papo.Tensor) {
      yield { holder: fields, key, place, value };
    } else if (depth > 0 && isContainer(value)) {
      yield* leaves(value as Record<string, unknown>, place, depth - 1);
    }
  }
}

function viewOf(value: unknown): ArrayBufferView | undefined {
  if (ArrayBuffer.isView(value)) return value;
  const tensor = value as papo.Tensor;
  return tensor.device === "cpu" && !tensor.disposed ? tensor.data : undefined;
}

function guardedCopy(value: unknown, shift: number): unknown {
  if (!(value instanceof papo.Tensor)) {
    return value instanceof DataView ? value : guardedArray(value as TypedArray, shift);
  }
  if (value.device !== "cpu" || value.disposed) return value;
  const { shape, dtype, rowPitch, requiresGrad } = value;
  return papo.tensor(guardedArray(value.data as TypedArray, shift) as never, {
    shape: [...shape],
    dtype: dtype as never,
    requiresGrad,
    ...(shape.length > 1 ? { rowPitch } : {}),
  });
}

function guardedArray(array: TypedArray, shift: number): TypedArray {
  const begin = GUARD + shift;
  const bytes = new Uint8Array(begin + array.byteLength + GUARD).fill(PATTERN);
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), begin);
  const Class = array.constructor as Float32ArrayConstructor;
  return new Class(bytes.buffer, begin, array.length);
}
