/** papo/jax with the real package where it is installed: the same numbers, consumption as jax-js has it, training. */
import * as jaxPackage from "@jax-js/jax";
import test from "ava";
import { jaxObjective } from "../../lib/adapters/jax.js";
import { objective } from "../../lib/index.js";
import {
  difference,
  INPUTS,
  LOGITS,
  MASKED_INPUTS,
  MASKED_LOGITS,
  PAPO,
  plain,
  ROWS,
  SHAPE,
  TOKEN_BATCH,
  VOCAB,
  WEIGHTS,
  WIDTH,
} from "./case.js";

/** What the tests use of an array. */
interface Arr {
  readonly ref: Arr;
  readonly refCount: number;
  readonly shape: readonly number[];
  readonly dtype: string;
  mul(other: Arr | number): Arr;
  sub(other: Arr | number): Arr;
  reshape(shape: readonly number[]): Arr;
  astype(dtype: string): Arr;
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Package {
  readonly vjp: (forward: never, primals: never) => unknown;
  readonly numpy: {
    array(values: Float32Array<ArrayBuffer>, options: { shape: number[] }): Arr;
    zeros(shape: number[]): Arr;
    matmul(a: Arr, b: Arr): Arr;
  };
  jit<F>(f: F): F;
  init(device: "wasm"): Promise<unknown>;
  defaultDevice(device: "wasm"): unknown;
}

// Typed by form, as the adapter is: what it asks of the package is what is tested.
const jax = jaxPackage as unknown as Package;
const withJax = (
  title: string,
  body: (t: import("ava").ExecutionContext, jax: Package) => unknown,
) => test.serial(title, (t) => body(t, jax) as Promise<void>);

test.before(async () => {
  await jax.init("wasm");
  jax.defaultDevice("wasm");
});

const array = ({ numpy }: Package, values: Float32Array, shape: readonly number[]): Arr =>
  numpy.array(values.slice() as Float32Array<ArrayBuffer>, { shape: [...shape] });

/** A policy of one matrix, seeing all and seeing half. */
function policy(jax: Package) {
  const seen = array(jax, INPUTS, [ROWS, WIDTH]);
  const masked = array(jax, MASKED_INPUTS, [ROWS, WIDTH]);
  const logits = (inputs: Arr, weights: Arr) =>
    jax.numpy.matmul(inputs, weights).reshape([...SHAPE]);
  return ({ weights }: { weights: Arr }) => ({
    logits: logits(seen.ref, weights.ref),
    maskedLogits: logits(masked.ref, weights),
  });
}

withJax("loss and gradients are those of evaluate", async (t, jax) => {
  const expected = plain();
  const papo = jaxObjective(jax, PAPO);
  const logits = array(jax, LOGITS, SHAPE);
  const maskedLogits = array(jax, MASKED_LOGITS, SHAPE);
  const direct = await papo.evaluateAsync({
    logits: logits.ref,
    maskedLogits: maskedLogits.ref,
    ...TOKEN_BATCH,
  });
  const through = await papo.valueAndGrad(
    (parameters: { logits: Arr; maskedLogits: Arr }) => parameters,
    { logits: logits.ref, maskedLogits: maskedLogits.ref },
    TOKEN_BATCH,
  );
  for (const { evaluation, gradients } of [direct, through]) {
    t.is(evaluation.loss, expected.loss);
    t.deepEqual(evaluation.metrics, expected.metrics);
    t.is(difference(await gradients.logits!.data(), expected.gradLogits!.data as Float32Array), 0);
    const masked = expected.gradMaskedLogits!.data as Float32Array;
    t.is(difference(await gradients.maskedLogits!.data(), masked), 0);
  }
  t.deepEqual([logits.refCount, maskedLogits.refCount], [1, 1], "what was handed over is consumed");
  t.is(difference(await logits.data(), LOGITS), 0);
});

withJax("gradients in the weights agree with differences of the loss", async (t, jax) => {
  const papo = jaxObjective(jax, PAPO);
  const forward = policy(jax);
  const at = (values: Float32Array) =>
    papo.valueAndGrad(forward, { weights: array(jax, values, [WIDTH, VOCAB]) }, TOKEN_BATCH);
  const { gradients } = await at(WEIGHTS);
  const slopes = await gradients.weights.data();
  const step = 2 ** -6;
  let largest = 0;
  for (let i = 0; i < WEIGHTS.length; i += 3) {
    const losses: number[] = [];
    for (const by of [step, -step]) {
      const { evaluation, gradients } = await at(WEIGHTS.map((x, j) => (j === i ? x + by : x)));
      gradients.weights.dispose();
      losses.push(evaluation.loss);
    }
    largest = Math.max(largest, Math.abs((losses[0]! - losses[1]!) / (2 * step) - slopes[i]!));
  }
  t.true(largest < 2e-5, `${largest}`);
  t.true(Math.max(...slopes.map(Math.abs)) > 0.01);
});

withJax("a policy learns, compiled or not", async (t, jax) => {
  const papo = jaxObjective(jax, PAPO);
  for (const forward of [policy(jax), jax.jit(policy(jax))]) {
    let weights = array(jax, WEIGHTS, [WIDTH, VOCAB]);
    const curve: number[] = [];
    for (let step = 0; step < 8; step++) {
      const { evaluation, gradients } = await papo.valueAndGrad(
        forward,
        { weights: weights.ref },
        TOKEN_BATCH,
      );
      weights = weights.sub(gradients.weights.mul(0.5));
      curve.push(evaluation.loss);
    }
    t.true(
      curve.every((loss, i) => i === 0 || loss < curve[i - 1]!),
      curve.join(" "),
    );
    t.true(curve.at(-1)! < curve[0]! - 0.1, curve.join(" "));
    t.is(weights.refCount, 1);
  }
});

withJax("a constant masked branch has no gradient, wherever it is given", async (t, jax) => {
  const spec = objective("papo-g-3b-no-ref", { form: "corrected" }).maskedBranch("constant");
  const papo = jaxObjective(jax, spec.build());
  const logits = array(jax, LOGITS, SHAPE);
  const masked = array(jax, MASKED_LOGITS, SHAPE);
  const outside = await papo.valueAndGrad(
    (p: { logits: Arr }) => p,
    { logits: logits.ref },
    { ...TOKEN_BATCH, maskedLogits: masked.ref },
  );
  const inside = await papo.valueAndGrad(
    (p: { logits: Arr; maskedLogits: Arr }) => p,
    { logits, maskedLogits: masked },
    TOKEN_BATCH,
  );
  t.is(inside.evaluation.loss, outside.evaluation.loss);
  t.deepEqual(await inside.gradients.logits.data(), await outside.gradients.logits.data());
  const none = await inside.gradients.maskedLogits.data();
  t.is(difference(none, new Float32Array(LOGITS.length)), 0);
});

withJax("log-probs alone", async (t, jax) => {
  const grpo = objective("grpo").refKl({ coef: 0 }).build();
  const { responseMask, oldLogProbs, advantages } = TOKEN_BATCH;
  const rows = { responseMask, oldLogProbs, advantages, cuSeqlens: [0, 3, 6, 9, 12] };
  const logProbs = Float32Array.from(oldLogProbs, (x, row) => x + 0.05 * Math.sin(row));
  const expected = grpo.evaluate({ ...rows, logProbs });
  const { evaluation, gradients } = await jaxObjective(jax, grpo).valueAndGrad(
    (p: { logProbs: Arr }) => p,
    { logProbs: array(jax, logProbs, [ROWS]) },
    rows,
  );
  t.is(evaluation.loss, expected.loss);
  const slopes = Float32Array.from(expected.gradLogProbs!.data as Float64Array);
  t.is(difference(await gradients.logProbs.data(), slopes), 0);
});

withJax("what does not fit is said, and what was handed over is consumed", async (t, jax) => {
  const papo = jaxObjective(jax, PAPO);
  const logits = array(jax, LOGITS, SHAPE);
  const maskedLogits = array(jax, MASKED_LOGITS, SHAPE);
  const gone = array(jax, LOGITS, SHAPE);
  gone.dispose();
  const cases: [() => Record<string, unknown>, string, RegExp][] = [
    [
      () => ({ logits: logits.ref.astype("int32") }),
      "ERR_DTYPE",
      /float32 \(cast them\), received int32/,
    ],
    [() => ({ logits: logits.ref.reshape([ROWS * VOCAB]) }), "ERR_SHAPE", /\[rows, vocab\] or/],
    [
      () => ({ logits: gone }),
      "ERR_DISPOSED",
      /logits to be a jax-js array, received a disposed one/,
    ],
    [
      () => {
        const copy = array(jax, LOGITS, SHAPE);
        return { logits: copy, maskedLogits: copy };
      },
      "ERR_DISPOSED",
      /maskedLogits to be a reference of its own \(array\.ref\), received an array that another/,
    ],
    [
      () => ({ logits: LOGITS }),
      "ERR_ARGUMENT",
      /logits to be a jax-js array, received Float32Array/,
    ],
    [
      () => ({ logits: logits.ref, maskedLogits: maskedLogits.ref, advantages: [1] }),
      "ERR_SHAPE",
      /advantages/,
    ],
  ];
  for (const [fields, code, message] of cases) {
    const batch = { ...TOKEN_BATCH, ...fields() } as never;
    await t.throwsAsync(papo.evaluateAsync(batch), { code, message });
  }
  await t.throwsAsync(
    papo.valueAndGrad((p: { a: Arr }) => p.a as never, { a: logits.ref }, TOKEN_BATCH),
    { code: "ERR_ARGUMENT", message: /arrays by name/ },
  );
  t.deepEqual([logits.refCount, maskedLogits.refCount], [1, 1]);
});

test("what is no jax-js and no objective is refused", (t) => {
  t.throws(() => jaxObjective({} as never, PAPO), { code: "ERR_ARGUMENT", message: /jax-js/ });
  const stub = { vjp: () => 0, numpy: { array: () => 0, zeros: () => 0 } };
  t.throws(() => jaxObjective(stub as never, {} as never), { message: /build\(\)/ });
});
