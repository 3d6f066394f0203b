/** The tensor as a view: shapes, pitch, memory it refuses, and the end of its life. */
import test from "ava";
import { Float16ArrayConstructor } from "../../lib/core/dtype.js";
import type { PapoErrorCode } from "../../lib/core/errors.js";
import { scalar, tensor, zeros } from "../../lib/tensor/create.js";
import { fillZero, gradientTensor } from "../../lib/tensor/gradient.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import { resizable, secretlyResizable } from "../support/resizable.js";

test("a tensor is a view: what is written to the array is what the tensor holds", (t) => {
  const data = Float32Array.of(1, 2, 3, 4, 5, 6);
  const view = tensor(data, { shape: [2, 3] });
  t.is(view.data, data);
  data[4] = 50;
  t.is(view.data[4], 50);
});

test("rows and columns are counted for every rank", (t) => {
  const of = (shape: readonly number[]) => {
    const { rows, columns, rowPitch, size } = zeros(shape);
    return [rows, columns, rowPitch, size];
  };
  t.deepEqual(of([]), [1, 1, 1, 1]);
  t.deepEqual(of([5]), [5, 1, 1, 5]);
  t.deepEqual(of([2, 3]), [2, 3, 3, 6]);
  t.deepEqual(of([2, 3, 4]), [6, 4, 4, 24]);
  t.deepEqual(of([0, 4]), [0, 4, 4, 0]);
});

test("plain numbers are copied into the dtype that is said", (t) => {
  t.deepEqual(tensor([1, 2]).data, Float32Array.of(1, 2));
  t.deepEqual(tensor([1, 2], { dtype: "float64" }).data, Float64Array.of(1, 2));
  t.deepEqual(tensor([1, -2], { dtype: "int32" }).data, Int32Array.of(1, -2));
  t.deepEqual(tensor([1], { dtype: "bfloat16" }).data, Uint16Array.of(0x3f80));
  t.is(tensor([1], { dtype: "float16" }).data.length, 1);
});

test("a scalar holds one float64 number", (t) => {
  t.is(scalar(1.5).item(), 1.5);
  t.deepEqual(scalar(1.5).shape, []);
});

test("zeros makes room for the pitch", (t) => {
  const padded = zeros([3, 4], { rowPitch: 6 });
  t.is(padded.data.length, 18);
  t.is(padded.size, 12);
});

test("fillZero leaves what lies between rows", (t) => {
  const padded = tensor(new Float32Array(6).fill(7), { shape: [2, 2], rowPitch: 3 });
  fillZero("verb", "gradient", padded);
  t.deepEqual(padded.data, Float32Array.of(0, 0, 7, 0, 0, 7));
});

test("an alias shares the memory and nothing else", (t) => {
  const leaf = tensor(new Float32Array(4), { shape: [2, 2], requiresGrad: true });
  const alias = leaf.alias();
  t.is(alias.data, leaf.data);
  t.false(alias.requiresGrad);
  leaf.dispose();
  t.false(alias.disposed);
});

const LINE = zeros([4]);

const refusals: readonly [string, () => unknown, PapoErrorCode, string][] = [
  [
    "a slice of a scalar",
    () => scalar(1).sliceRows(0),
    "ERR_SHAPE",
    "[Tensor.sliceRows] expected a tensor with rows, received []",
  ],
  [
    "a copy to another dtype",
    () => zeros([2]).to("cpu", { out: zeros([2], { dtype: "float64" }) as never }),
    "ERR_DTYPE",
    "[Tensor.to] expected out to hold float32, received float64",
  ],
  [
    "a copy to memory that it overlaps",
    () => LINE.sliceRows(0, 3).to("cpu", { out: LINE.sliceRows(1, 4) }),
    "ERR_BUFFER",
    "[Tensor.to] expected out in memory of its own, received memory that overlaps",
  ],
  [
    "a device pointer of host memory",
    () => zeros([2]).devicePointer,
    "ERR_DEVICE_MISMATCH",
    "[Tensor.devicePointer] expected the tensor on a CUDA device, received one on cpu",
  ],
  [
    "a short array",
    () => tensor(new Float32Array(5), { shape: [2, 3] }),
    "ERR_SHAPE",
    "[tensor] expected at least 6 elements for shape [2, 3], received 5",
  ],
  [
    "an array too short for its pitch",
    () => tensor(new Float32Array(6), { shape: [2, 3], rowPitch: 4 }),
    "ERR_SHAPE",
    "[tensor] expected at least 7 elements for shape [2, 3] with rowPitch 4, received 6",
  ],
  [
    "a pitch below the columns",
    () => tensor(new Float32Array(6), { shape: [2, 3], rowPitch: 2 }),
    "ERR_SHAPE",
    "[tensor] expected rowPitch to be an integer of at least 3 elements, received 2",
  ],
  [
    "a pitch on a vector",
    () => tensor(new Float32Array(6), { rowPitch: 2 }),
    "ERR_ARGUMENT",
    "[tensor] expected rowPitch only with rank 2 or 3, received 2",
  ],
  [
    "four dimensions",
    () => zeros([1, 1, 1, 1]),
    "ERR_SHAPE",
    "[zeros] expected shape to be an array of at most 3 sizes, received an array of 4",
  ],
  [
    "a negative size",
    () => zeros([2, -1]),
    "ERR_SHAPE",
    "[zeros] expected shape[1] to be a non-negative integer, received -1",
  ],
  [
    "bits without a dtype",
    () => Reflect.apply(tensor, undefined, [new Uint16Array(2)]),
    "ERR_DTYPE",
    '[tensor] expected the dtype of data to be said ("float16" or "bfloat16"), since a Uint16Array may hold either, received none',
  ],
  [
    "an array of another dtype",
    () => Reflect.apply(tensor, undefined, [new Float32Array(2), { dtype: "bfloat16" }]),
    "ERR_DTYPE",
    "[tensor] expected data to hold bfloat16, received Float32Array of 2 elements",
  ],
  [
    "a dtype that does not exist",
    () => Reflect.apply(tensor, undefined, [new Float32Array(2), { dtype: "float8" }]),
    "ERR_DTYPE",
    '[tensor] expected dtype to be one of float32, float16, bfloat16, float64, int32, received "float8"',
  ],
  [
    "no array at all",
    () => Reflect.apply(tensor, undefined, [undefined]),
    "ERR_DTYPE",
    "[tensor] expected data to be a Float32Array, Float64Array, Int32Array, Uint16Array or Float16Array, received undefined",
  ],
  [
    "a fraction among integers",
    () => tensor([1, 1.5], { dtype: "int32" }),
    "ERR_RANGE",
    "[tensor] expected data[1] to be an integer of 32 bits, received 1.5",
  ],
  [
    "something else among numbers",
    () => Reflect.apply(tensor, undefined, [[1, "2"]]),
    "ERR_ARGUMENT",
    '[tensor] expected data[1] to be a number, received "2"',
  ],
  [
    "shared memory",
    () => tensor(new Float32Array(new SharedArrayBuffer(8))),
    "ERR_BUFFER",
    "[tensor] expected data to lie in an ArrayBuffer, received a SharedArrayBuffer",
  ],
  [
    "a device that does not exist",
    () => Reflect.apply(tensor, undefined, [new Float32Array(2), { device: "tpu" }]),
    "ERR_ARGUMENT",
    '[tensor] expected device to be "cpu", "cuda" or "cuda:INDEX", received "tpu"',
  ],
  [
    "a gradient for integers",
    () => tensor(new Int32Array(2), { requiresGrad: true }),
    "ERR_DTYPE",
    "[tensor] expected a floating-point dtype for requiresGrad, received int32",
  ],
  [
    "the item of two",
    () => tensor(new Float32Array(2)).item(),
    "ERR_SHAPE",
    "[Tensor.item] expected one element, received shape [2]",
  ],
];

for (const [name, act, code, message] of refusals) {
  test(`a tensor refuses ${name}`, (t) => {
    const error = t.throws(act, { name: "PapoError", message });
    t.is((error as { code?: string } | undefined)?.code, code);
  });
}

test("a tensor refuses a resizable buffer, which may shrink under a kernel", (t) => {
  const options = { maxByteLength: 64 };
  const buffer = Reflect.construct(ArrayBuffer, [16, options]) as ArrayBuffer & {
    resizable?: boolean;
  };
  if (buffer.resizable !== true) return t.pass("this runtime has no resizable buffers");
  t.throws(() => tensor(new Float32Array(buffer)), {
    code: "ERR_BUFFER",
    message:
      "[tensor] expected data to lie in an ArrayBuffer of fixed length, received a resizable ArrayBuffer",
  });
});

test("a device that is not there is an error with its reason, never a fall-back", (t) => {
  t.throws(() => zeros([2], { device: "cuda" }), {
    code: "ERR_DEVICE_UNAVAILABLE",
    message: /^\[zeros\] cuda:0 is not available: .+/,
  });
});

test("a disposed tensor is of no more use", (t) => {
  const gone = tensor(new Float32Array(2));
  gone.dispose();
  gone.dispose();
  t.true(gone.disposed);
  t.throws(() => gone.data, {
    code: "ERR_DISPOSED",
    message: "[Tensor.data] expected the tensor to be alive, received a disposed tensor",
  });
});

test("a tensor disposes itself at the end of its block", (t) => {
  const view = tensor(new Float32Array(2));
  {
    using inner = view;
    t.false(inner.disposed);
  }
  t.true(view.disposed);
});

test("a tensor whose buffer was transferred says so", (t) => {
  const data = new Float32Array(4);
  const view = tensor(data, { shape: [2, 2] });
  structuredClone(data.buffer, { transfer: [data.buffer] });
  t.true(view.disposed);
  t.throws(() => view.toNative("papoLoss", "logits"), {
    code: "ERR_DISPOSED",
    message: "[papoLoss] expected logits to hold its memory, received a detached buffer",
  });
});

test("Float16Array is a float16 tensor where the runtime has it", (t) => {
  if (Float16ArrayConstructor === undefined) return t.pass("this runtime has no Float16Array");
  t.is(tensor(new Float16ArrayConstructor(2)).dtype, "float16");
});

test("a gradient's memory must fit its tensor", (t) => {
  const logits = zeros([2, 3], { dtype: "bfloat16" });
  const refused = (out: unknown, code: PapoErrorCode, message: string) =>
    t.throws(() => gradientTensor("f", "gradLogits", logits, { out: out as Tensor }), {
      code,
      message,
    });
  refused({}, "ERR_ARGUMENT", "[f] expected gradLogits to be a Tensor, received an object");
  refused(zeros([3, 2]), "ERR_SHAPE", "[f] expected gradLogits [2, 3], received [3, 2]");
  refused(
    zeros([2, 3], { dtype: "float64" }),
    "ERR_DTYPE",
    "[f] expected gradLogits to hold bfloat16 or float32, received float64",
  );
  refused(
    logits.alias(),
    "ERR_BUFFER",
    "[f] expected gradLogits in memory of its own, received memory that overlaps",
  );
  t.is(gradientTensor("f", "gradLogits", logits, { out: logits, inPlace: true }), logits);
  t.is(gradientTensor("f", "gradLogits", logits).dtype, "bfloat16");
  t.is(gradientTensor("f", "gradLogits", logits, { dtype: "float32" }).dtype, "float32");
});

test("a gradient may not lie across its logits even in place", (t) => {
  const data = new Float32Array(10);
  const logits = tensor(data.subarray(0, 6), { shape: [2, 3] });
  const shifted = tensor(data.subarray(3), { shape: [2, 3] });
  t.throws(() => gradientTensor("f", "gradLogits", logits, { out: shifted, inPlace: true }), {
    code: "ERR_BUFFER",
    message:
      "[f] expected gradLogits in the very memory of its tensor or memory of its own, received memory that overlaps",
  });
  const apart = tensor(data.subarray(6), { shape: [2, 2] });
  t.is(
    gradientTensor("f", "g", tensor(data.subarray(0, 4), { shape: [2, 2] }), { out: apart }),
    apart,
  );
});

test("an array of a class of its own is its memory, whatever its methods and properties say", (t) => {
  class Mine extends Float32Array {
    static get [Symbol.species](): never {
      return Int8Array as never;
    }
    override get buffer(): ArrayBuffer {
      return new ArrayBuffer(4);
    }
  }
  const data = Mine.from([1, 2, 3, 4, 5, 6]) as Float32Array;
  const view = tensor(data, { shape: [3, 2] });
  t.is(view.data, data);
  t.deepEqual([...view.sliceRows(1).data], [3, 4, 5, 6]);
  const out = zeros([3, 2]);
  view.to("cpu", { out });
  t.deepEqual([...out.data], [1, 2, 3, 4, 5, 6]);
  const bare = Object.setPrototypeOf(Float64Array.of(1, 2), null) as Float64Array;
  t.is(tensor(bare).sliceRows(1).item(), 2);
});

test("resizable memory is refused, also where its buffer says that it is not", (t) => {
  for (const buffer of [resizable(8), secretlyResizable(8)]) {
    t.throws(() => tensor(new Float32Array(buffer)), { code: "ERR_BUFFER" });
  }
});
