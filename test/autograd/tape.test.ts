/** The tape knows no op: these tests record their own, and follow what is asked of them on the way back. */
import test from "ava";
import {
  backward,
  backwardAsync,
  type Differentiable,
  grad,
  gradAsync,
  noGrad,
  valueAndGrad,
  valueAndGradAsync,
} from "../../lib/autograd/grad.js";
import { deposit } from "../../lib/autograd/sink.js";
import { type Entry, record } from "../../lib/autograd/tape.js";
import { add, exp, mul } from "../../lib/ops/pointwise.js";
import { scalar, tensor, zeros } from "../../lib/tensor/create.js";
import type { Scalar, Tensor } from "../../lib/tensor/tensor.js";

const leaf = (value: number): Scalar => scalar(value).alias({ requiresGrad: true });
/** For the compiler, which does not see that a gradient came since one was looked at. */
const gradOf = (x: Tensor): Tensor | undefined => x.grad;

/** An op of its own: `outputs` multiples of one number; counts how often its gradient is asked for. */
function multiples(x: Scalar, factors: readonly number[], more: Partial<Entry> = {}) {
  const calls: (readonly (number | undefined)[])[] = [];
  const outputs = factors.map((factor) => scalar(factor * x.item()));
  record({
    inputs: [x],
    outputs,
    vjp: (cotangents, [sink]) => {
      const upstream = cotangents.map((cotangent) => cotangent?.item());
      calls.push(upstream);
      const gradient = upstream.reduce<number>(
        (sum, c, i) => sum + (c ?? 0) * (factors[i] ?? 0),
        0,
      );
      if (sink) deposit(sink, x, Float64Array.of(gradient));
    },
    ...more,
  });
  return { outputs: outputs as [Scalar, Scalar, Scalar], calls };
}

test("the gradients of all outputs of an op come in one call", (t) => {
  const x = leaf(2);
  const { outputs, calls } = multiples(x, [3, 5, 7]);
  backward(add(mul(outputs[0], outputs[0]), outputs[2]));
  t.deepEqual(calls, [[12, undefined, 1]]);
  t.is(x.grad?.item(), 12 * 3 + 7);
});

test("an op that nothing came of is not asked", (t) => {
  const x = leaf(2);
  const used = multiples(x, [3]);
  const unused = multiples(x, [5]);
  backward(used.outputs[0]);
  t.is(used.calls.length, 1);
  t.is(unused.calls.length, 0);
});

test("a tensor used along many paths is asked once, after all of them", (t) => {
  const x = leaf(1);
  const { outputs, calls } = multiples(x, [2]);
  const [y] = outputs;
  backward(add(mul(y, y), add(y, mul(y, 10))));
  t.deepEqual(calls, [[2 * 2 + 1 + 10]]);
  t.is(x.grad?.item(), 30);
});

test("a long chain does not overflow the stack", (t) => {
  const x = leaf(1);
  let y = x;
  for (let i = 0; i < 20_000; i++) y = add(y, 1);
  backward(y);
  t.is(x.grad?.item(), 1);
});

test("what needs no gradient is not recorded", (t) => {
  const x = scalar(2);
  const { outputs } = multiples(x, [3]);
  t.false(outputs[0].requiresGrad);
  t.throws(() => backward(outputs[0]), {
    code: "ERR_ARGUMENT",
    message:
      "[backward] expected a loss that came from a tensor with requiresGrad, received one without history",
  });
});

test("noGrad records nothing, across an await too, and leaves other calls alone", async (t) => {
  const x = leaf(2);
  t.false(noGrad(() => mul(x, 2)).requiresGrad);
  let inside: Scalar | undefined;
  const quiet = noGrad(async () => {
    await Promise.resolve();
    inside = mul(x, 3);
  });
  const meanwhile = mul(x, 4);
  await quiet;
  t.false(inside?.requiresGrad);
  t.true(meanwhile.requiresGrad);
  t.true(mul(x, 5).requiresGrad);
});

test("gradients gather in the leaf over calls, in the memory that is there", (t) => {
  const x = leaf(3);
  const given = scalar(100);
  x.grad = given;
  backward(mul(x, x));
  backward(mul(x, 2));
  t.is(x.grad, given);
  t.is(given.item(), 108);
});

test("a float64 leaf may gather its gradient in float32", (t) => {
  const x = tensor(Float64Array.of(1, 2), { requiresGrad: true });
  x.grad = zeros([2], { dtype: "float32" });
  backward(mul(x, 3), { gradLoss: 1 });
  t.deepEqual(x.grad.data, Float32Array.of(3, 3));
});

test("gradLoss scales: one number for all, or one per row", (t) => {
  const x = tensor(Float64Array.of(1, 2), { requiresGrad: true });
  backward(mul(x, x), { gradLoss: 10 });
  t.deepEqual(x.grad?.data, Float64Array.of(20, 40));
  x.grad = undefined;
  backward(mul(x, x), { gradLoss: tensor(Float64Array.of(1, 3)) });
  t.deepEqual(gradOf(x)?.data, Float64Array.of(2, 12));
});

test("a loss of many rows needs a gradLoss of its shape", (t) => {
  const x = tensor(Float64Array.of(1, 2), { requiresGrad: true });
  const rows = mul(x, 2);
  t.throws(() => backward(rows), {
    code: "ERR_SHAPE",
    message: "[backward] expected a scalar loss, or gradLoss, received [2]",
  });
  t.throws(() => backward(rows, { gradLoss: scalar(1) }), {
    code: "ERR_SHAPE",
    message: "[backward] expected gradLoss to be float64 [2] like the loss, received float64 []",
  });
  const other = [rows, { gradLoss: "1" }] as unknown as [Differentiable];
  t.throws(() => backward(...other), { code: "ERR_ARGUMENT" });
});

test("what is no loss is refused", (t) => {
  const any = (loss: unknown) => () => backward(loss as Scalar);
  t.throws(any(3), { message: "[backward] expected a Tensor, received 3" });
  t.throws(any(zeros([2, 2], { requiresGrad: true })), {
    message:
      "[backward] expected a loss of float64, a scalar or one per row, received float32 [2, 2]",
  });
});

test("a gradient's memory that does not fit its leaf is refused", (t) => {
  const x = leaf(1);
  x.grad = scalar(0);
  x.grad = zeros([1]) as unknown as Scalar;
  t.throws(() => backward(mul(x, 2)), { message: "[backward] expected grad [], received [1]" });
});

test("valueAndGrad differentiates in its arguments and leaves their own gradients alone", (t) => {
  const [x, y] = [scalar(3), leaf(4)];
  const [value, gradients] = valueAndGrad((a: Scalar, b: Scalar) => add(mul(a, b), mul(a, a)))(
    x,
    y,
  );
  t.is(value.item(), 21);
  t.false(value.requiresGrad);
  t.deepEqual(
    gradients.map((gradient) => gradient.item()),
    [10, 3],
  );
  t.is(x.grad, undefined);
  t.is(y.grad, undefined);
});

test("what a function captures is constant", (t) => {
  const captured = leaf(5);
  const [gradient] = grad((a: Scalar) => mul(a, captured))(scalar(2));
  t.is(gradient.item(), 5);
  t.is(captured.grad, undefined);
});

test("an argument that the value does not depend on has gradient 0", (t) => {
  const out = scalar(7);
  const f = (a: Scalar, _b: Scalar) => mul(a, 2);
  const [da, db] = grad(f)(scalar(1), scalar(1));
  t.deepEqual([da.item(), db.item()], [2, 0]);
  grad(f, { out: [undefined, out], gradsZeroed: true })(scalar(1), scalar(1));
  t.is(out.item(), 7);
  grad(f, { out: [undefined, out] })(scalar(1), scalar(1));
  t.is(out.item(), 0);
});

test("gradients are written over what is in `out`, even where an input is used twice", (t) => {
  const out = scalar(1000);
  const [gradient] = grad((a: Scalar) => add(mul(a, a), exp(a)), { out: [out] })(scalar(0));
  t.is(gradient, out);
  t.is(out.item(), 1);
  const again = scalar(2);
  t.throws(() => grad((a: Scalar) => mul(a, 2), { out: [again] })(again), { code: "ERR_BUFFER" });
});

test("two gradients do not share memory", (t) => {
  const out = scalar(0);
  const f = grad((a: Scalar, b: Scalar) => mul(a, b), { out: [out, out] });
  t.throws(() => f(scalar(1), scalar(2)), {
    code: "ERR_BUFFER",
    message: "[grad] expected out[1] to have memory of its own, received that of out[0]",
  });
});

test("the same tensor as two arguments has two gradients", (t) => {
  const x = scalar(3);
  const [da, db] = grad((a: Scalar, b: Scalar) => mul(mul(a, a), b))(x, x);
  t.deepEqual([da.item(), db.item()], [18, 9]);
});

test("a function that is its argument has gradient 1, and inside noGrad gradients still work", (t) => {
  t.is(grad((a: Scalar) => a)(scalar(3))[0].item(), 1);
  t.is(noGrad(() => grad((a: Scalar) => mul(a, a))(scalar(3)))[0].item(), 6);
});

test("an argument that is no tensor, and a function that gives no scalar, are refused", (t) => {
  t.throws(() => grad((a: Scalar) => a)(new Float64Array(1) as unknown as Scalar), {
    code: "ERR_ARGUMENT",
    message: "[grad] expected argument 0 to be a Tensor, received Float64Array of 1 elements",
  });
  t.throws(() => grad((() => 3) as unknown as (a: Scalar) => Scalar)(scalar(1)), {
    code: "ERR_ARGUMENT",
    message: "[grad] expected the function to return a float64 scalar, received 3",
  });
});

test("asynchronous twins give the same, and take asynchronous functions", async (t) => {
  const x = leaf(3);
  await backwardAsync(mul(x, x));
  t.is(x.grad?.item(), 6);
  const f = async (a: Scalar) => {
    await Promise.resolve();
    return mul(a, a);
  };
  t.is((await gradAsync(f)(scalar(4)))[0].item(), 8);
  const [value, [gradient]] = await valueAndGradAsync(f)(scalar(5));
  t.deepEqual([value.item(), gradient.item()], [25, 10]);
});

test("an op's asynchronous gradient is awaited, and an abort on the way rejects with its reason", async (t) => {
  const x = leaf(1);
  const controller = new AbortController();
  const { outputs } = multiples(x, [2], {
    vjpAsync: async (_cotangents, [sink], signal) => {
      await Promise.resolve();
      signal?.throwIfAborted();
      if (sink) deposit(sink, x, Float64Array.of(42));
    },
  });
  await backwardAsync(outputs[0]);
  t.is(x.grad?.item(), 42);
  const reason = new Error("enough");
  const { signal } = controller;
  const promise = backwardAsync(outputs[0], { signal });
  controller.abort(reason);
  t.is(await t.throwsAsync(promise), reason);
  t.is(await t.throwsAsync(() => backwardAsync(outputs[0], { signal })), reason);
});

test("two gradients at once into one leaf are refused, not mixed up", async (t) => {
  const x = leaf(1);
  const slow = () =>
    multiples(x, [2], {
      vjpAsync: async (_, [sink]) => {
        await new Promise(setImmediate);
        if (sink) deposit(sink, x, Float64Array.of(2));
      },
    }).outputs[0];
  const first = backwardAsync(slow());
  await t.throwsAsync(() => backwardAsync(slow()), {
    code: "ERR_UNSUPPORTED",
    message:
      "[backwardAsync] another backward is writing the gradient of the same tensor: await it first",
  });
  await first;
  await backwardAsync(slow());
  t.is(x.grad?.item(), 4);
});

test("a gradient that failed leaves its leaf free for the next", (t) => {
  const x = leaf(1);
  const broken = multiples(x, [2], {
    vjp: () => {
      throw new Error("broken");
    },
  }).outputs[0];
  t.throws(() => backward(broken), { message: "broken" });
  t.is(x.grad, undefined);
  backward(mul(x, 2));
  t.is(gradOf(x)?.item(), 2);
});

test("a loss may be walked back twice", (t) => {
  const x = leaf(3);
  const loss = mul(x, x);
  backward(loss);
  backward(loss);
  t.is(x.grad?.item(), 12);
});
