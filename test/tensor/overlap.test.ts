/** Whether two tensors share memory: neighbours do not, and what begins at the same place may still be apart in the next row. */
import test from "ava";
import { tensor } from "../../lib/tensor/create.js";
import { overlapOf } from "../../lib/tensor/overlap.js";

const data = new Float32Array(40);
const matrix = (begin: number, rowPitch: number) =>
  tensor(data.subarray(begin, begin + rowPitch + 3), { shape: [2, 3], rowPitch });

test("tensors side by side have no byte in common, and one element is enough", (t) => {
  // Elements 5 up to 13.
  const of = matrix(5, 5);
  for (const [begin, expected] of [
    [13, "none"],
    [12, "part"],
    [5, "same"],
    [4, "part"],
    [0, "part"],
  ] as const) {
    t.is(overlapOf("test", of, matrix(begin, 5)), expected, `${begin}`);
    t.is(overlapOf("test", matrix(begin, 5), of), expected, `${begin}`);
  }
  t.is(overlapOf("test", matrix(0, 3), matrix(6, 3)), "none");
});

test("one beginning and another pitch or dtype is not the same memory", (t) => {
  t.is(overlapOf("test", matrix(5, 5), matrix(5, 4)), "part");
  const bits = new Uint16Array(data.buffer, 20, 8);
  const [half, other] = (["float16", "bfloat16"] as const).map((dtype) =>
    tensor(bits, { shape: [2, 3], rowPitch: 5, dtype }),
  ) as [ReturnType<typeof tensor>, ReturnType<typeof tensor>];
  t.is(overlapOf("test", half, other), "part");
  t.is(overlapOf("test", half, half.alias()), "same");
});
