/** The native door, called directly and badly: whatever comes, an error and not a crash. */
import test from "ava";
import fc from "fast-check";
import { binding } from "../../lib/addon/load.js";
import { type Call, type NativeTensor, rawCall, runNative, runNativeAsync } from "./native-call.js";

const ROWS = 3;
const VOCAB = 5;

/** A sound call of token_stats. */
function soundCall(): Call {
  const matrix = (): NativeTensor => ({
    data: new Float32Array(ROWS * VOCAB).fill(0.5),
    dtype: "float32",
    rows: ROWS,
    columns: VOCAB,
    rowPitch: VOCAB,
  });
  const ids = new Int32Array(ROWS);
  const statistics = new Float64Array(8 * ROWS);
  return [
    "token_stats",
    {
      logits: matrix(),
      masked_logits: matrix(),
      token_ids: { data: ids, dtype: "int32", rows: ROWS, columns: 1, rowPitch: 1 },
    },
    {
      statistics: { data: statistics, dtype: "float64", rows: 8, columns: ROWS, rowPitch: ROWS },
    },
    { temperature: 1 },
  ];
}

/** The sound call with one tensor's field replaced. */
function spoiled(tensor: string, field: string, value: unknown): Call {
  const [op, inputs, outputs, attributes] = soundCall();
  const replaced = { ...{ ...inputs, ...outputs }[tensor], [field]: value } as NativeTensor;
  return tensor in inputs
    ? [op, { ...inputs, [tensor]: replaced }, outputs, attributes]
    : [op, inputs, { ...outputs, [tensor]: replaced }, attributes];
}

/** The door with its types put aside. */
const untyped = binding() as unknown as Record<"run" | "runAsync", (...args: unknown[]) => unknown>;

test("a sound call succeeds", (t) => {
  t.notThrows(() => runNative(soundCall()));
});

const refusals: readonly [string, Call, string, RegExp][] = [
  [
    "a wrong typed array",
    spoiled("logits", "data", new Float64Array(15)),
    "ERR_DTYPE",
    /logits to hold float32/,
  ],
  [
    "a plain array",
    spoiled("logits", "data", [1, 2, 3]),
    "ERR_DTYPE",
    /logits to be a typed array/,
  ],
  [
    "a DataView",
    spoiled("logits", "data", new DataView(new ArrayBuffer(60))),
    "ERR_DTYPE",
    /logits to be a typed array/,
  ],
  [
    "too short an array",
    spoiled("logits", "data", new Float32Array(14)),
    "ERR_SHAPE",
    /3 rows of 5 at a pitch of 5, received 14 elements/,
  ],
  [
    "a pitch that runs past the end",
    spoiled("logits", "rowPitch", 6),
    "ERR_SHAPE",
    /at a pitch of 6/,
  ],
  [
    "a pitch whose product overflows",
    spoiled("logits", "rowPitch", 2 ** 53 - 1),
    "ERR_SHAPE",
    /logits to hold/,
  ],
  [
    "rows whose product overflows",
    spoiled("logits", "rows", 2 ** 53 - 1),
    "ERR_SHAPE",
    /logits to hold/,
  ],
  ["a negative count", spoiled("logits", "rows", -1), "ERR_SHAPE", /logits.rows to be a count/],
  [
    "a fractional count",
    spoiled("logits", "columns", 4.5),
    "ERR_SHAPE",
    /logits.columns to be a count/,
  ],
  [
    "NaN rows",
    spoiled("token_ids", "rows", Number.NaN),
    "ERR_SHAPE",
    /tokenIds.rows to be a count/,
  ],
  [
    "an unknown dtype",
    spoiled("logits", "dtype", "float8"),
    "ERR_DTYPE",
    /logits.dtype to be a dtype/,
  ],
  [
    "a dtype the op does not take",
    spoiled("token_ids", "dtype", "float32"),
    "ERR_DTYPE",
    /tokenIds/,
  ],
  [
    "masked logits of another shape",
    spoiled("masked_logits", "columns", 4),
    "ERR_SHAPE",
    /maskedLogits \[3, 5\], received \[3, 4\]/,
  ],
  [
    "shared memory",
    spoiled("logits", "data", new Float32Array(new SharedArrayBuffer(60))),
    "ERR_BUFFER",
    /shared between threads/,
  ],
  [
    "too short an output",
    spoiled("statistics", "data", new Float64Array(3)),
    "ERR_SHAPE",
    /statistics/,
  ],
  [
    "a beginning between two elements",
    spoiled("logits", "byteOffset", 2),
    "ERR_BUFFER",
    /logits to begin at a multiple of 4 bytes/,
  ],
  [
    "a beginning that leaves too little",
    spoiled("logits", "byteOffset", 4),
    "ERR_SHAPE",
    /received 14 elements/,
  ],
  [
    "a beginning past the end",
    spoiled("logits", "byteOffset", 64),
    "ERR_SHAPE",
    /logits to begin in its 60 bytes, received byte 64/,
  ],
];

for (const [name, call, code, message] of refusals) {
  test(`${name} is refused with a sentence`, (t) => {
    t.throws(() => runNative(call), { code, message });
  });
}

test("a detached buffer is refused", (t) => {
  const data = new Float32Array(ROWS * VOCAB);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  t.throws(() => runNative(spoiled("logits", "data", data)), {
    code: "ERR_DISPOSED",
    message: /logits to be attached/,
  });
});

test("tensors may lie in one memory, but no output over another tensor", (t) => {
  const [op, inputs, outputs, attributes] = soundCall();
  const block = new Float64Array(8 * ROWS + 2);
  const { statistics } = outputs as { statistics: NativeTensor };
  const within = (byteOffset: number): Call => [
    op,
    inputs,
    { statistics: { ...statistics, data: block, byteOffset } },
    attributes,
  ];
  runNative([op, inputs, outputs, attributes]);
  runNative(within(16));
  t.deepEqual(block.subarray(2), statistics.data as Float64Array);
  t.throws(() => runNative(within(24)), { code: "ERR_SHAPE" });

  const raw = rawCall(soundCall());
  const shared = raw.numbers.slice();
  shared[0] = 1;
  t.notThrows(() => binding().run(raw.op, shared, undefined, ...raw.memory), "both logits in one");
  const wide = new Float32Array(64);
  const loss = (data: Float32Array, grad: Float32Array, gradOffset: number) => {
    const matrix = { dtype: "float32", rows: 1, columns: 32, rowPitch: 32 } as const;
    const lines = (count: number) =>
      ({
        data: new Float64Array(count),
        dtype: "float64",
        rows: count,
        columns: 1,
        rowPitch: 1,
      }) as const;
    const inputs = {
      logits: { ...matrix, data },
      token_ids: { data: new Int32Array(1), dtype: "int32", rows: 1, columns: 1, rowPitch: 1 },
      weights: lines(1),
      entropy_weights: lines(1),
    } as const;
    const grad_logits = { ...matrix, data: grad, byteOffset: gradOffset };
    runNative(["papo_loss", inputs, { statistics: lines(8), terms: lines(12), grad_logits }, {}]);
  };
  t.notThrows(() => loss(wide, wide, 0), "in place");
  t.notThrows(() => loss(wide, wide, 128), "side by side");
  t.throws(() => loss(wide, wide, 64), {
    code: "ERR_ARGUMENT",
    message: /gradLogits not to share memory with logits/,
  });
});

test("reading a call runs no JavaScript, whatever its values would like to", (t) => {
  const call = rawCall(soundCall());
  let asked = 0;
  const ask = () => {
    asked++;
    return 0;
  };
  class Hostile extends Float32Array {
    override get buffer(): ArrayBuffer {
      ask();
      return new ArrayBuffer(0);
    }
    override get length(): number {
      return ask();
    }
  }
  const [, ...rest] = call.memory;
  const data = new Hostile(ROWS * VOCAB);
  t.notThrows(() => binding().run(call.op, call.numbers, undefined, data, ...rest));
  const trap = new Proxy(data, { get: ask, has: () => ask() === 0, getPrototypeOf: () => null });
  const object = {
    valueOf: ask,
    [Symbol.toPrimitive]: ask,
    get data() {
      return ask();
    },
  };
  for (const value of [trap, object]) {
    t.throws(() => untyped.run(value, call.numbers, undefined, ...call.memory), {
      message: "[papo] expected the index of an op, received an object",
    });
    t.throws(() => untyped.run(call.op, value, undefined, ...call.memory), {
      message: /a Float64Array of \d+ numbers, received an object/,
    });
    t.throws(() => untyped.run(call.op, call.numbers, undefined, value, ...rest), {
      message:
        "[tokenStats] expected logits to be a typed array or a device buffer, received an object",
    });
    t.throws(() => untyped.run(call.op, call.numbers, value, ...call.memory), {
      message: "[tokenStats] expected stream to be a stream, received an object",
    });
    t.throws(() => untyped.runAsync(call.op, call.numbers, undefined, value, ...call.memory), {
      message: /cancel to be an Int32Array/,
    });
  }
  t.is(asked, 0);
});

test("what is no op, no numbers or no memory is refused", (t) => {
  const { op, numbers, memory } = rawCall(soundCall());
  const refused = (message: RegExp, ...args: unknown[]) => {
    t.throws(() => untyped.run(...args), { code: "ERR_ARGUMENT", message });
  };
  for (const index of ["token_stats", 99, -1, 0.5, Number.NaN]) {
    refused(/the index of an op/, index, numbers, undefined, ...memory);
  }
  refused(/a Float64Array of \d+ numbers, received undefined/, op);
  refused(/received another typed array/, op, numbers.subarray(1), undefined, ...memory);
  refused(/received another typed array/, op, new Int32Array(numbers.length), undefined, ...memory);
  refused(/logits.memory to be one of the 0 given, received 0/, op, numbers, undefined);
  const many = Array.from({ length: 25 }, () => memory[0]);
  refused(/memory for 24 tensors at most, received 25/, op, numbers, undefined, ...many);
  refused(/memory for 24 tensors at most/, op, numbers, undefined, ...many, ...many);
  const word = numbers.slice();
  word[word.length - 1] = 2;
  refused(/onInvalid to be one of 2 choices, received 2/, op, word, undefined, ...memory);
});

test("runAsync refuses as run does, by throwing at once", (t) => {
  t.throws(() => runNativeAsync(spoiled("logits", "rows", -1)), { code: "ERR_SHAPE" });
});

test("starting a call runs no JavaScript, not even a setter of Array.prototype", async (t) => {
  const { op, numbers, memory } = rawCall(soundCall());
  const [logits, masked, ids, statistics] = memory as [never, never, never, never];
  const door = binding();
  let asked = false;
  const set = () => {
    asked = true;
  };
  Object.defineProperty(Array.prototype, 0, { set, configurable: true });
  let running: Promise<void>;
  try {
    running = door.runAsync(op, numbers, undefined, undefined, logits, masked, ids, statistics);
  } finally {
    Reflect.deleteProperty(Array.prototype, 0);
  }
  t.false(asked);
  await running;
});

test("an error has its code and row, also where Object.prototype has setters for them", (t) => {
  const call = soundCall();
  (call[1].logits?.data as Float32Array)[VOCAB] = Number.NaN;
  const set = () => {};
  for (const name of ["code", "row"]) {
    Object.defineProperty(Object.prototype, name, { set, get: set, configurable: true });
  }
  let error: unknown;
  try {
    runNative(call);
  } catch (thrown) {
    error = thrown;
  } finally {
    for (const name of ["code", "row"]) Reflect.deleteProperty(Object.prototype, name);
  }
  const { code, row } = error as { code?: string; row?: number };
  t.deepEqual([code, row], ["ERR_NOT_FINITE", 1]);
});

test("no value in any place crashes the process", async (t) => {
  const anything = fc.anything({
    withTypedArray: true,
    withBigInt: true,
    withDate: true,
    withMap: true,
  });
  const { op, numbers, memory } = rawCall(soundCall());
  const attempt = async (act: () => unknown) => {
    try {
      await act();
    } catch (error) {
      t.true(error instanceof Error);
    }
  };
  const number = fc.oneof(
    fc.double(),
    fc.integer({ min: -2, max: 64 }),
    fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 62, 2 ** 63, 2 ** 64),
  );
  const places = fc.array(fc.tuple(fc.nat(numbers.length - 1), number), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(places, async (changes) => {
      const changed = numbers.slice();
      for (const [place, value] of changes) changed[place] = value;
      await attempt(() => untyped.run(op, changed, undefined, ...memory));
      await attempt(() => untyped.runAsync(op, changed, undefined, undefined, ...memory));
    }),
    { numRuns: 2000 },
  );
  const ops = fc.nat(binding().info().ops.length);
  await fc.assert(
    fc.asyncProperty(ops, fc.nat(6), anything, async (other, place, value) => {
      const args: unknown[] = [op, numbers, undefined, ...memory];
      args[place] = value;
      await attempt(() => untyped.run(...args));
      await attempt(() => untyped.run(other, ...args.slice(1)));
      await attempt(() => untyped.runAsync(...args));
    }),
    { numRuns: 2000 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { maxLength: 30 }), async (args) => {
      await attempt(() => untyped.run(...args));
      await attempt(() => untyped.runAsync(...args));
    }),
    { numRuns: 500 },
  );
  t.pass();
});
