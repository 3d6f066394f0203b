/** Pointwise arithmetic: values, gradients by finite differences, ties, and infinities that nobody asked about. */
import test from "ava";
import { backward } from "../../lib/autograd/grad.js";
import {
  add,
  clamp,
  detach,
  div,
  exp,
  log,
  max,
  min,
  mul,
  neg,
  sub,
  where,
} from "../../lib/ops/pointwise.js";
import { reduceTokens } from "../../lib/ops/reduce-tokens.js";
import { finiteDifference } from "../../lib/reference/index.js";
import { scalar, tensor } from "../../lib/tensor/create.js";
import type { Rows } from "../../lib/tensor/tensor.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";

const A = [0.5, 1.5, 2.5, 3.5];
const B = [2, 0.75, 3, 1.25];
const rows = (values: readonly number[]): Rows =>
  tensor(Float64Array.from(values), { requiresGrad: true });
const sumOf = (values: Rows, weights: readonly number[] = [1, -2, 3, -4]) =>
  reduceTokens("test", values, Float64Array.from(weights));
const gradOf = (x: Rows) => Array.from(x.grad?.data as Float64Array);

const OPS: Readonly<
  Record<string, [(a: Rows, b: Rows) => Rows, (a: number, b: number) => number]>
> = {
  add: [add, (a, b) => a + b],
  sub: [sub, (a, b) => a - b],
  mul: [mul, (a, b) => a * b],
  div: [div, (a, b) => a / b],
  min: [min, Math.min],
  max: [max, Math.max],
  neg: [(a) => neg(a), (a) => -a],
  exp: [(a) => exp(a), (a) => Math.exp(a)],
  log: [(a) => log(a), (a) => Math.log(a)],
  clamp: [(a) => clamp(a, 1, 3), (a) => Math.min(Math.max(a, 1), 3)],
  where: [(a, b) => where([1, 0, true, false], a, b), Number.NaN as never],
  "mul with a number": [(a) => mul(a, 3), (a) => 3 * a],
  "number minus": [(_, b) => sub(1, b), (_, b) => 1 - b],
  "one input twice": [(a) => mul(a, a), (a) => a * a],
  "a chain": [(a, b) => div(exp(neg(mul(a, b))), add(a, 2)), (a, b) => Math.exp(-a * b) / (a + 2)],
};

for (const [name, [op, formula]] of Object.entries(OPS)) {
  test(`${name}: value and gradients`, (t) => {
    const [a, b] = [rows(A), rows(B)];
    const result = op(a, b);
    const pick = typeof formula === "function" ? formula : undefined;
    const expected = A.map((x, i) =>
      pick ? pick(x, B[i] as number) : i % 2 === 0 ? x : (B[i] as number),
    );
    assertClose(t, name, result.data, expected, TOLERANCES.float64);
    backward(sumOf(result));
    const loss = (x: ArrayLike<number>, y: ArrayLike<number>) =>
      sumOf(op(rows(Array.from(x)), rows(Array.from(y)))).item();
    const slopes = [finiteDifference((x) => loss(x, B), A), finiteDifference((y) => loss(A, y), B)];
    [a, b].forEach((input, i) => {
      const actual = input.grad?.data ?? new Float64Array(4);
      assertClose(t, `grad ${i}`, actual, slopes[i] as Float64Array, TOLERANCES.finiteDifference);
    });
  });
}

test("at equality min and max give the gradient to the first, and clamp lets it through", (t) => {
  const [a, b] = [rows([1, 1]), rows([1, 1])];
  backward(sumOf(add(min(a, b), mul(max(b, a), 10)), [1, 1]));
  t.deepEqual(
    [gradOf(a), gradOf(b)],
    [
      [1, 1],
      [10, 10],
    ],
  );
  const c = rows([1, 3]);
  backward(sumOf(clamp(c, 1, 3), [1, 1]));
  t.deepEqual(gradOf(c), [1, 1]);
});

test("what is not chosen gets gradient 0, whatever its slope would be", (t) => {
  const x = rows([0, 2]);
  const safe = where([0, 1], log(x), x);
  backward(sumOf(safe, [1, 1]));
  t.deepEqual(gradOf(x), [1, 0.5]);
});

test("scalars go with scalars and numbers", (t) => {
  const x = scalar(3).alias({ requiresGrad: true });
  const y = mul(add(x, 1), x);
  backward(y);
  t.is(y.item(), 12);
  t.is(x.grad?.item(), 7);
  for (const [result, value] of [
    [sub(5, x), 2],
    [where([1], x, 7), 3],
    [where([0], x, 7), 7],
    [clamp(x, 2, 2), 2],
  ] as const) {
    t.deepEqual([result.shape, result.data], [[], Float64Array.of(value)]);
  }
});

test("detach is the same memory with no way back", (t) => {
  const x = rows([2, 3]);
  backward(sumOf(mul(detach(x), x), [1, 1]));
  t.deepEqual(gradOf(x), [2, 3]);
  t.is(detach(x).data, x.data);
});

test("a weight of 0 takes away NaN and Infinity, in value and gradient", (t) => {
  const x = rows([Number.NaN, Number.POSITIVE_INFINITY, 5]);
  const sum = sumOf(x, [0, 0, 2]);
  t.is(sum.item(), 10);
  backward(sum);
  t.deepEqual(gradOf(x), [0, 0, 2]);
});

test("operands that do not fit are refused", (t) => {
  const two = rows([1, 2]);
  const refused = (act: () => unknown, code: string, message: string) =>
    t.throws(act, { name: "PapoError", code, message });
  refused(
    () => add(two, rows([1])),
    "ERR_SHAPE",
    "[add] expected operands of one shape [2], received [1]",
  );
  const any = (f: unknown, ...args: unknown[]) => Reflect.apply(f as typeof add, undefined, args);
  refused(
    () => any(mul, two, "2"),
    "ERR_ARGUMENT",
    '[mul] expected tensors or numbers, received "2"',
  );
  refused(
    () => any(add, two, scalar(1)),
    "ERR_SHAPE",
    "[add] expected operands of one shape [2], received []",
  );
  refused(
    () => any(exp, tensor(new Float32Array(2))),
    "ERR_DTYPE",
    "[exp] expected float64 tensors, received float32",
  );
  refused(
    () => any(neg, tensor(new Float64Array(4), { shape: [2, 2] })),
    "ERR_SHAPE",
    "[neg] expected scalars or one number per row, received [2, 2]",
  );
  refused(() => where([1], two, two), "ERR_SHAPE", "[where] expected condition [2], received [1]");
  refused(
    () => any(where, {}, two, two),
    "ERR_ARGUMENT",
    "[where] expected condition to be an array, received an object",
  );
  refused(
    () => clamp(two, 3, 1),
    "ERR_RANGE",
    "[clamp] expected low to be at most high, received 3 and 1",
  );
  refused(() => sumOf(two), "ERR_SHAPE", "[test] expected values [4], received [2]");
});
