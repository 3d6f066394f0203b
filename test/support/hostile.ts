/** Values that callers should not hand in and some will, and what may come of them. */
import fc from "fast-check";
import { cuda, PapoError, Tensor, tensor, zeros } from "../../lib/index.js";

/** What hostile values throw from their own code; it may surface as it is. */
export const OWN: Error = new Error("the caller's own");

const throwOwn = (): never => {
  throw OWN;
};
/** No value is converted, so this must never surface. */
const throwConverted = (): never => {
  throw new Error("a value was converted by its own code");
};

function detached<T extends ArrayBufferView>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  return view;
}

class Boastful extends Float32Array {
  override get length(): number {
    return 1e9;
  }
}

const hasDevice = cuda.devices().length > 0;
const FLOAT64_THERE = { dtype: "float64", device: "cuda" } as const;

/** By name, so that a failure can be read; made afresh for every use. */
export const HOSTILE: Readonly<Record<string, () => unknown>> = {
  "a getter that throws": () => ({
    get logits() {
      return throwOwn();
    },
    get length() {
      return throwOwn();
    },
    get dtype() {
      return throwOwn();
    },
  }),
  "a proxy that throws": () => new Proxy({}, { get: throwOwn, ownKeys: throwOwn }),
  "a conversion that throws": () => ({
    valueOf: throwConverted,
    toString: throwConverted,
    toJSON: throwConverted,
    [Symbol.toPrimitive]: throwConverted,
    get [Symbol.toStringTag]() {
      return throwConverted();
    },
  }),
  "no prototype": () => Object.create(null),
  "a forged tensor": () => Object.create(Tensor.prototype),
  "a forged stream": () => Object.create(cuda.Stream.prototype),
  "a forged event": () => Object.create(cuda.Event.prototype),
  "a tensor on a device": () => (hasDevice ? zeros([3, 4], { device: "cuda" }) : undefined),
  "rows on a device": () => (hasDevice ? tensor([1, 2, 3], FLOAT64_THERE) : undefined),
  "a disposed tensor of a device": () => {
    const gone = hasDevice ? zeros([3, 4], { device: "cuda" }) : undefined;
    gone?.dispose();
    return gone;
  },
  "a proxy of a tensor": () => new Proxy(tensor([1, 2, 3], { dtype: "float64" }), {}),
  "a disposed tensor": () => {
    const gone = tensor(new Float64Array(3));
    gone.dispose();
    return gone;
  },
  "a detached tensor": () => {
    const data = new Float32Array(12);
    const view = tensor(data, { shape: [3, 4] });
    detached(data);
    return view;
  },
  "a tensor of many empty rows": () => tensor(new Float32Array(0), { shape: [2 ** 50, 0, 4] }),
  "a tensor of many rows of nothing": () => tensor(new Float64Array(0), { shape: [2 ** 50, 0] }),
  "a tensor of integers": () => tensor(Int32Array.of(0, 1, 2)),
  "a scalar": () => tensor(new Float64Array(1), { shape: [] }),
  "a proxy of an array": () => new Proxy([0, 1, 2], {}),
  "an array with an iterator of its own": () =>
    Object.assign([0, 1, 2], { [Symbol.iterator]: throwConverted }),
  "an array that throws": () => Object.defineProperty([0, 1, 2], 1, { get: throwOwn }),
  "the longest array": () => new Array(2 ** 32 - 1),
  "a length": () => ({ length: 2 ** 40 }),
  "a negative length": () => ({ length: -1, 0: 1 }),
  bigints: () => [0n, 1n, 2n],
  "a bigint array": () => new BigInt64Array(3),
  "a long bigint": () => 2n ** 4096n,
  "a symbol": () => Symbol("mine"),
  "a function": () => () => 3,
  "a function that gives back": () => (x: unknown) => x,
  "a function that throws": () => throwOwn,
  "a DataView": () => new DataView(new ArrayBuffer(24)),
  "a detached DataView": () => detached(new DataView(new ArrayBuffer(24))),
  "detached numbers": () => detached(new Float64Array(3)),
  "detached integers": () => detached(new Int32Array(3)),
  "shared numbers": () => new Float32Array(new SharedArrayBuffer(48)),
  "an array that boasts": () => new Boastful(3),
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  "a large integer": () => 2 ** 53 - 1,
  "minus zero": () => -0,
};

/** A value by its name, or one of fast-check's. */
export type Candidate = { readonly name: string } | { readonly value: unknown };

const NAMED = fc.constantFrom(...Object.keys(HOSTILE)).map((name) => ({ name }));
const ANY = fc
  .anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withTypedArray: true,
    maxDepth: 2,
  })
  .map((value) => ({ value }));

export const CANDIDATES: fc.Arbitrary<Candidate> = fc.oneof(NAMED, ANY);

export function made(candidate: Candidate): unknown {
  return "name" in candidate ? HOSTILE[candidate.name]?.() : candidate.value;
}

/**
 * What an act throws or rejects with; undefined if nothing. A function that it gives is called with `more`.
 * Fails for everything but a PapoError with a sentence and what the values themselves throw.
 */
export async function errorOf(
  act: () => unknown,
  more: readonly unknown[] = [],
): Promise<PapoError | undefined> {
  try {
    const result = await act();
    if (typeof result === "function" && more.length > 0) await Reflect.apply(result, null, more);
    return undefined;
  } catch (error) {
    if (error === OWN) return undefined;
    if (!(error instanceof PapoError)) throw error;
    const sentence = /^\[.*\] \S/s.test(error.message) && !error.message.includes("[object ");
    if (!sentence || error.code === "ERR_INTERNAL") throw error;
    return error;
  }
}
