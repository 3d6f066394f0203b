/** Wrong values for the place of a right one: `HOSTILE`, numbers at edges, and what looks almost like the right one. */
import * as papo from "../../lib/index.js";
import { HOSTILE } from "../support/hostile.js";
import { LENGTHS, revoked, saysLength } from "../support/proxies.js";
import { resizable, secretlyResizable } from "../support/resizable.js";

type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;
type Make = (valid: unknown) => unknown;

const NUMBERS: Readonly<Record<string, number>> = {
  "minus infinity": Number.NEGATIVE_INFINITY,
  "a half": 0.5,
  "minus one": -1,
  zero: 0,
  one: 1,
  two: 2,
  "2^31": 2 ** 31,
  "2^32": 2 ** 32,
  "2^32 + 1": 2 ** 32 + 1,
  "2^53": 2 ** 53,
  "2^62": 2 ** 62,
  "the largest number": Number.MAX_VALUE,
  "the smallest number": 5e-324,
  "a large coefficient": 1e30,
};

/** What follows makes something of a kind of valid value, and of all other kinds the number -1. */
const OTHERWISE = -1;

const isTyped = (value: unknown): value is Numbers =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

function ofArray(make: (array: Numbers) => unknown): Make {
  return (valid) => {
    if (isTyped(valid)) return make(valid);
    // No conversion: another mutation may have put the longest array in here, whose text has no end.
    const number = (each: unknown) => (typeof each === "number" ? each : OTHERWISE);
    if (Array.isArray(valid)) return make(Float64Array.from(valid, number));
    if (!(valid instanceof papo.Tensor) || valid.device !== "cpu" || valid.disposed) {
      return OTHERWISE;
    }
    const { shape, dtype, rowPitch } = valid;
    const data = make(valid.data as Numbers);
    return papo.tensor(data as never, {
      shape: [...shape],
      dtype: dtype as never,
      ...(shape.length > 1 ? { rowPitch } : {}),
    });
  };
}

function ofObject(make: (object: Record<string, unknown>) => unknown): Make {
  return (valid) =>
    typeof valid === "object" && valid !== null && !ArrayBuffer.isView(valid)
      ? make(valid as Record<string, unknown>)
      : OTHERWISE;
}

function over(array: Numbers, buffer: ArrayBufferLike, offset = 0, length?: number): Numbers {
  const Class = array.constructor as Float32ArrayConstructor;
  const copy = new Class(buffer as ArrayBuffer, offset, length ?? array.length);
  for (let i = 0; i < Math.min(copy.length, array.length); i++) copy[i] = array[i] as number;
  return copy;
}

class Subclass extends Float32Array {}
class OwnSpecies extends Float32Array {
  static get [Symbol.species](): never {
    return Int8Array as never;
  }
}
const subclassed = (Class: Float32ArrayConstructor) =>
  ofArray((array) => (array instanceof Float32Array ? Class.from(array) : OTHERWISE));

/** A typed array that says of itself what is not so. */
function lying(facts: Record<string, unknown>): Make {
  return ofArray((array) => {
    const copy = array.slice();
    for (const [name, value] of Object.entries(facts)) {
      Object.defineProperty(copy, name, { value });
    }
    return copy;
  });
}

const filled = (value: number) => ofArray((array) => array.slice().fill(value));

/** Everything of a tensor but its memory. */
const lookAlike: Make = (valid) => {
  if (!(valid instanceof papo.Tensor) || valid.disposed) return OTHERWISE;
  const { dtype, shape, rows, columns, rowPitch, device, requiresGrad, size } = valid;
  const facts = { dtype, shape, rows, columns, rowPitch, device, requiresGrad, size };
  const { data } = valid;
  const verbs = { toNative: () => facts, hostData: () => data, span: () => facts };
  return { ...facts, data, disposed: false, grad: undefined, ...verbs };
};

/** As an array of its own: numbers where a tensor or a typed array was. */
function listOf(valid: unknown): unknown[] {
  if (Array.isArray(valid)) return valid;
  return isTyped(valid) ? Array.from(valid) : [1, 1, 1];
}

const NEAR: Readonly<Record<string, Make>> = {
  "half of it": (valid) => (typeof valid === "number" ? valid / 2 : OTHERWISE),
  "twice of it": (valid) => (typeof valid === "number" ? valid * 2 : OTHERWISE),
  "one more": (valid) => (typeof valid === "number" ? valid + 1 : OTHERWISE),
  "the opposite of it": (valid) => (typeof valid === "number" ? -valid : !valid),
  "a copy of it": (valid) => {
    if (Array.isArray(valid)) return valid.slice() as unknown;
    return valid instanceof papo.Tensor && !valid.disposed ? valid.alias() : valid;
  },
  "its text": (valid) => (typeof valid === "object" ? OTHERWISE : String(valid)),
  "its boxed value": (valid) => Object(valid) as unknown,
  "its bigint": (valid) => (Number.isSafeInteger(valid) ? BigInt(valid as number) : OTHERWISE),
  "an array of it": (valid) => [valid],
  "the text __proto__": () => "__proto__",
  "the text constructor": () => "constructor",
  "an empty text": () => "",
  "a long text": () => "x".repeat(10_000),
  "half a character": () => "\ud800",
  "a proxy of it": (valid) => (Object(valid) === valid ? new Proxy(valid as object, {}) : valid),

  "a shorter array": ofArray((array) => array.slice(1)),
  "a longer array": ofArray((array) => over(array, new ArrayBuffer(array.byteLength + 64), 0)),
  "one element more": ofArray((array) => {
    const buffer = new ArrayBuffer(array.byteLength + array.BYTES_PER_ELEMENT);
    return over(array, buffer, 0, array.length + 1);
  }),
  "an empty array": ofArray((array) => array.slice(0, 0)),
  "an array of another class": ofArray((array) => Int16Array.from(array)),
  "an array of doubles": ofArray((array) => Float64Array.from(array)),
  "an array of floats": ofArray((array) => Float32Array.from(array)),
  "an array of integers": ofArray((array) => Int32Array.from(array)),
  "an array in the middle of a buffer": ofArray((array) =>
    over(array, new ArrayBuffer(array.byteLength + 32), array.BYTES_PER_ELEMENT),
  ),
  "a shared array": ofArray((array) => over(array, new SharedArrayBuffer(array.byteLength))),
  "a resizable array": ofArray((array) => over(array, resizable(array.byteLength))),
  "a resizable array that says it is none": ofArray((array) =>
    over(array, secretlyResizable(array.byteLength)),
  ),
  "an array out of its buffer": ofArray((array) => {
    const buffer = resizable(array.byteLength);
    const copy = over(array, buffer);
    (buffer as never as { resize(bytes: number): void }).resize(0);
    return copy;
  }),
  "its memory detached": ofArray((array) => {
    const copy = array.slice();
    structuredClone(copy.buffer, { transfer: [copy.buffer as ArrayBuffer] });
    return copy;
  }),
  "a subclass of Float32Array": subclassed(Subclass as Float32ArrayConstructor),
  "an array of a species of its own": subclassed(OwnSpecies as Float32ArrayConstructor),
  "an array that lies about its length": lying({ length: 1e9, byteLength: 4e9 }),
  "an array that lies about its buffer": lying({ buffer: new ArrayBuffer(8), byteOffset: 1e6 }),
  "an array without a prototype": ofArray((array) => Object.setPrototypeOf(array.slice(), null)),
  "NaN everywhere": filled(Number.NaN),
  "Infinity everywhere": filled(Number.POSITIVE_INFINITY),
  "minus Infinity everywhere": filled(Number.NEGATIVE_INFINITY),
  "huge numbers everywhere": filled(3e38),
  "ones everywhere": filled(1),
  "the last integer everywhere": filled(2 ** 31 - 1),
  "a sparse array": (valid) => {
    const length = Array.isArray(valid) ? valid.length : 3;
    return Array.from({ length }, () => 1)
      .fill(1, 0, 1)
      .concat(new Array(length))
      .slice(1, length + 1);
  },
  "a forged signal": () => Object.create(AbortSignal.prototype),
  "a revoked proxy": () => revoked({}),
  "a revoked proxy of an array": () => revoked([]),
  "a revoked proxy of a function": () => revoked(() => 1),
  ...Object.fromEntries(
    Object.entries(LENGTHS).flatMap(
      ([name, length]) =>
        [
          [`an array of length ${name}`, (valid) => saysLength(listOf(valid), length)],
          [
            `an array of length ${name} at the second look`,
            (valid) => saysLength(listOf(valid), length, 2),
          ],
        ] satisfies [string, Make][],
    ),
  ),
  "a frozen copy": (valid) =>
    Object.freeze(Array.isArray(valid) ? valid.slice() : { ...Object(valid) }),
  "what looks like an array": (valid) =>
    Object.assign(Object.create(Array.prototype), { ...Object(valid), length: 3 }) as unknown,

  "a copy without a prototype": ofObject((object) => Object.assign(Object.create(null), object)),
  "a copy of a class": ofObject((object) => Object.assign(new (class Mine {})(), object)),
  "a copy with __proto__": ofObject((object) =>
    Object.assign(JSON.parse('{"__proto__":{"temperature":2}}') as object, object),
  ),
  "a copy with an unknown key": ofObject((object) => ({ ...object, unknown: 1 })),
  "a copy with a symbol": ofObject((object) => ({ ...object, [Symbol("mine")]: 1 })),
  "a copy that is a function": ofObject((object) => Object.assign(() => 1, object)),

  "a look-alike of a tensor": lookAlike,
  "a disposed alias": (valid) => {
    if (!(valid instanceof papo.Tensor) || valid.disposed) return OTHERWISE;
    const alias = valid.alias();
    alias.dispose();
    return alias;
  },
  "a slice of no rows": (valid) =>
    valid instanceof papo.Tensor && valid.shape.length > 0 && !valid.disposed
      ? valid.sliceRows(0, 0)
      : OTHERWISE,
  "a tensor of another shape": ofArray((array) => papo.tensor(Float32Array.from(array))),
  "a subclass of Tensor": (valid) => {
    if (!(valid instanceof papo.Tensor) || valid.disposed) return OTHERWISE;
    class Mine extends papo.Tensor {}
    const { shape, dtype, rowPitch, data } = valid;
    return new Mine("mine", data, { shape, dtype, ...(shape.length > 1 ? { rowPitch } : {}) });
  },
};

/** By name, so that a case can be written down; each is made afresh from the valid value that it takes the place of. */
export const VALUES: Readonly<Record<string, Make>> = {
  ...HOSTILE,
  ...Object.fromEntries(Object.entries(NUMBERS).map(([name, value]) => [name, () => value])),
  ...NEAR,
};
