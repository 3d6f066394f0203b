/** reduceTokens: each reduction's value and gradient, and values that do not count. */
import test from "ava";
import { backward } from "../../lib/autograd/grad.js";
import { type ReduceTokensOptions, reduceTokens } from "../../lib/functional/reduce.js";
import { REDUCTIONS } from "../../lib/functional/row-weights.js";
import { rowWeights } from "../../lib/reference/index.js";
import { scalar, tensor } from "../../lib/tensor/create.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";

const VALUES = Float64Array.of(1, 2, -3, 4, 5, -6);
const MASK = Int32Array.of(1, 1, 0, 1, 0, 0);

for (const reduction of REDUCTIONS) {
  test(`${reduction} is the weighted sum of the reference, and its gradient the weights`, (t) => {
    const layouts: [ReduceTokensOptions, object][] = [
      [{}, {}],
      [{ shape: [2, 3] }, { sequences: 2 }],
      [{ cuSeqlens: [0, 1, 1, 6] }, { cuSeqlens: [0, 1, 1, 6] }],
    ];
    for (const [layout, same] of layouts) {
      const values = tensor(VALUES, { requiresGrad: true });
      const result = reduceTokens(values, { ...layout, reduction, responseMask: MASK });
      backward(result);
      const weights = rowWeights({ rows: 6, ...same, responseMask: MASK, reduction });
      const sum = weights.reduce(
        (total, weight, row) => total + weight * (VALUES[row] as number),
        0,
      );
      assertClose(t, "value", result.item(), sum, TOLERANCES.float64);
      assertClose(t, "gradient", values.grad?.data as Float64Array, weights, TOLERANCES.float64);
    }
  });
}

test("none gives the values back, 0 where the token does not count", (t) => {
  const values = tensor(VALUES, { requiresGrad: true });
  const result = reduceTokens(values, { reduction: "none", responseMask: MASK });
  t.deepEqual(result.data, Float64Array.of(1, 2, 0, 4, 0, 0));
  backward(result, { gradLoss: 2 });
  t.deepEqual(values.grad?.data, Float64Array.of(2, 2, 0, 2, 0, 0));
  t.deepEqual(reduceTokens(values, { reduction: "none" }).data, VALUES);
});

test("NaN and Infinity of tokens that do not count do not count either", (t) => {
  const values = tensor(Float64Array.of(1, Number.NaN, -Infinity), { requiresGrad: true });
  const options = { responseMask: [true, false, false] };
  backward(reduceTokens(values, { ...options, reduction: "sum" }));
  t.deepEqual(values.grad?.data, Float64Array.of(1, 0, 0));
  t.is(reduceTokens(values, { ...options, denominatorEpsilon: 0 }).item(), 1);
  t.deepEqual(
    reduceTokens(values, { ...options, reduction: "none" }).data,
    Float64Array.of(1, 0, 0),
  );
});

test("no tokens reduce to 0", (t) => {
  const values = tensor(new Float64Array(0));
  for (const reduction of REDUCTIONS) t.is(reduceTokens(values, { reduction }).item(), 0);
});

test("bad calls are refused with the name of what is wrong", (t) => {
  const values = tensor(VALUES);
  const refused = (options: object, message: string) =>
    t.throws(() => reduceTokens(values, options as object), { name: "PapoError", message });
  for (const [other, received] of [
    [tensor(Float32Array.from(VALUES)), "float32 [6]"],
    [scalar(1), "float64 []"],
    [tensor(Float64Array.from(VALUES), { shape: [2, 3] }), "float64 [2, 3]"],
  ] as const) {
    t.throws(() => reduceTokens(other as unknown as typeof values), {
      code: "ERR_SHAPE",
      message: `[reduceTokens] expected values to be float64 [rows], received ${received}`,
    });
  }
  refused({ shape: [2, 2] }, "[reduceTokens] expected values [4], received [6]");
  refused({ responseMask: [1] }, "[reduceTokens] expected responseMask [6], received [1]");
  refused(
    { reduction: "mean" },
    `[reduceTokens] expected reduction to be one of ${REDUCTIONS.join(", ")}, received "mean"`,
  );
  refused(
    { mask: MASK },
    '[reduceTokens] expected options to hold only reduction, responseMask, shape, cuSeqlens, denominators, denominatorEpsilon, received "mask"',
  );
});
