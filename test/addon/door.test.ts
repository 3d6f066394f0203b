/** The native door, called directly and badly: whatever comes, an error and not a crash. */
import test from "ava";
import fc from "fast-check";
import type { NativeTensor } from "../../lib/addon/binding.js";
import { binding } from "../../lib/addon/load.js";

type Call = Record<"inputs" | "outputs" | "attributes", Record<string, unknown>>;

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
  return {
    inputs: {
      logits: matrix(),
      masked_logits: matrix(),
      token_ids: {
        data: new Int32Array(ROWS),
        dtype: "int32",
        rows: ROWS,
        columns: 1,
        rowPitch: 1,
      },
    },
    outputs: {
      statistics: {
        data: new Float64Array(8 * ROWS),
        dtype: "float64",
        rows: 8,
        columns: ROWS,
        rowPitch: ROWS,
      },
    },
    attributes: { temperature: 1 },
  };
}

function run({ inputs, outputs, attributes }: Call): void {
  binding().run("token_stats", inputs as never, outputs as never, attributes as never);
}

/** The sound call with one tensor's field replaced. */
function spoiled(tensor: string, field: string, value: unknown): Call {
  const call = soundCall();
  const group = tensor === "statistics" ? call.outputs : call.inputs;
  group[tensor] = { ...(group[tensor] as object), [field]: value };
  return call;
}

test("a sound call succeeds", (t) => {
  t.notThrows(() => run(soundCall()));
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
  ["an unknown dtype", spoiled("logits", "dtype", "float8"), "ERR_DTYPE", /"float8"/],
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
    "an output over an input",
    spoiled("statistics", "data", new Float64Array(3)),
    "ERR_SHAPE",
    /statistics/,
  ],
];

for (const [name, call, code, message] of refusals) {
  test(`${name} is refused with a sentence`, (t) => {
    t.throws(() => run(call), { code, message });
  });
}

test("a detached buffer is refused", (t) => {
  const data = new Float32Array(ROWS * VOCAB);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  t.throws(() => run(spoiled("logits", "data", data)), {
    code: "ERR_DISPOSED",
    message: /logits to be attached/,
  });
});

test("a getter that detaches a buffer read before it is noticed", (t) => {
  const call = soundCall();
  const { data } = call.inputs.logits as { data: Float32Array };
  const ids = call.inputs.token_ids as NativeTensor;
  Object.defineProperty(call.inputs, "token_ids", {
    get: () => {
      structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
      return ids;
    },
  });
  t.throws(() => run(call), { code: "ERR_DISPOSED", message: /logits/ });
});

test("what a getter throws is thrown", (t) => {
  const call = soundCall();
  Object.defineProperty(call.attributes, "temperature", {
    get: () => {
      throw new RangeError("from the getter");
    },
  });
  t.throws(() => run(call), { instanceOf: RangeError, message: "from the getter" });
});

test("an unknown op is refused", (t) => {
  t.throws(() => binding().run("no_such_op", {}, {}, {}), {
    code: "ERR_ARGUMENT",
    message: /"no_such_op"/,
  });
});

test("runAsync refuses as run does, by throwing at once", (t) => {
  const call = spoiled("logits", "rows", -1);
  const start = () =>
    binding().runAsync(
      "token_stats",
      call.inputs as never,
      call.outputs as never,
      call.attributes as never,
      undefined,
    );
  t.throws(start, { code: "ERR_SHAPE" });
});

test("starting a call runs no JavaScript, not even a setter of Array.prototype", async (t) => {
  const { inputs, outputs, attributes } = soundCall();
  let asked = false;
  const set = () => {
    asked = true;
  };
  Object.defineProperty(Array.prototype, 0, { set, configurable: true });
  let running: Promise<void>;
  try {
    running = binding().runAsync(
      "token_stats",
      inputs as never,
      outputs as never,
      attributes as never,
      undefined,
    );
  } finally {
    Reflect.deleteProperty(Array.prototype, 0);
  }
  t.false(asked);
  await running;
});

test("no value in any place crashes the process", (t) => {
  const anything = fc.anything({
    withTypedArray: true,
    withBigInt: true,
    withDate: true,
    withMap: true,
  });
  const place = fc.constantFrom(
    ...["logits", "masked_logits", "token_ids", "statistics"].flatMap((tensor) =>
      ["data", "dtype", "rows", "columns", "rowPitch"].map((field) => [tensor, field] as const),
    ),
  );
  fc.assert(
    fc.property(place, anything, ([tensor, field], value) => {
      try {
        run(spoiled(tensor, field, value));
      } catch (error) {
        t.true(error instanceof Error);
      }
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(anything, anything, anything, anything, (op, inputs, outputs, attributes) => {
      t.throws(() =>
        binding().run(op as never, inputs as never, outputs as never, attributes as never),
      );
    }),
    { numRuns: 500 },
  );
});
