/** papo/tfjs with the real package, on both of its backends: the same numbers, nothing copied, nothing left behind. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import test from "ava";
import { tfjsLoss, tfjsObjective } from "../../lib/adapters/tfjs.js";
import {
  neg,
  objective,
  reduceTokens,
  selectiveLogSoftmax,
  type Tensor,
  valueAndGrad,
  zeros,
} from "../../lib/index.js";
import { revoked } from "../support/proxies.js";
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
import { registerGradients } from "./tfjs-gradients.js";

registerGradients();

const papo = tfjsObjective(tf, PAPO);
const constant = tfjsObjective(
  tf,
  objective("papo-g-3b-no-ref", { form: "corrected" }).maskedBranch("constant").build(),
);
const both = (): [tf.Tensor, tf.Tensor] => [
  tf.tensor(LOGITS.slice(), [...SHAPE]),
  tf.tensor(MASKED_LOGITS.slice(), [...SHAPE]),
];

/** A policy of one matrix, seeing all and seeing half. */
function policy() {
  const weights = tf.tidy(() => tf.variable(tf.tensor2d(WEIGHTS.slice(), [WIDTH, VOCAB])));
  const seen = tf.tensor2d(INPUTS.slice(), [ROWS, WIDTH]);
  const masked = tf.tensor2d(MASKED_INPUTS.slice(), [ROWS, WIDTH]);
  const logits = (inputs: tf.Tensor2D) => tf.reshape(tf.matMul(inputs, weights), [...SHAPE]);
  return {
    weights,
    forward: () => ({ logits: logits(seen), maskedLogits: logits(masked) }),
    dispose: () => tf.dispose([weights, seen, masked]),
  };
}

for (const backend of ["cpu", "wasm"]) {
  // One engine for all tests of the file, so one backend at a time.
  const serial = (title: string, body: (t: import("ava").ExecutionContext) => unknown) =>
    test.serial(`${backend}: ${title}`, async (t) => {
      await tf.setBackend(backend);
      const before = tf.memory().numTensors;
      await body(t);
      t.is(tf.memory().numTensors, before, "tensors are left behind");
    });

  serial("loss and gradients are those of evaluate, times what comes from above", (t) => {
    const expected = plain();
    for (const factor of [1, -4]) {
      const f = (logits: tf.Tensor, maskedLogits: tf.Tensor) => {
        const { loss, evaluation } = papo.evaluate({ logits, maskedLogits, ...TOKEN_BATCH });
        t.is(evaluation.loss, expected.loss);
        t.deepEqual(evaluation.metrics, expected.metrics);
        t.false("gradLogits" in evaluation);
        return factor === 1 ? loss : tf.mul(loss, factor);
      };
      const inputs = both();
      const { value, grads } = tf.valueAndGrads(f as never)(inputs);
      t.is(value.dataSync()[0], Math.fround(factor * Math.fround(expected.loss)));
      [expected.gradLogits, expected.gradMaskedLogits].forEach((gradient, at) => {
        const wanted = Float32Array.from(gradient!.data as Float32Array, (x) => factor * x);
        t.deepEqual(Float32Array.from(grads[at]!.dataSync()), wanted);
      });
      t.deepEqual(Float32Array.from(inputs[0].dataSync()), LOGITS, "logits are only read");
      tf.dispose([value, ...grads, ...inputs]);
    }
  });

  serial("the asynchronous form gives the same", async (t) => {
    const expected = plain();
    const [logits, maskedLogits] = both();
    const { evaluation, gradients } = await papo.evaluateAsync({
      logits,
      maskedLogits,
      ...TOKEN_BATCH,
    });
    t.is(evaluation.loss, expected.loss);
    t.deepEqual(Object.keys(gradients), ["logits", "maskedLogits"]);
    t.is(difference(gradients.logits!.dataSync(), expected.gradLogits!.data as Float32Array), 0);
    t.is(
      difference(
        gradients.maskedLogits!.dataSync(),
        expected.gradMaskedLogits!.data as Float32Array,
      ),
      0,
    );
    t.deepEqual(Float32Array.from(logits.dataSync()), LOGITS);
    tf.dispose([logits, maskedLogits, gradients.logits!, gradients.maskedLogits!]);
  });

  serial("gradients in the weights agree with differences of the loss", async (t) => {
    const { weights, forward, dispose } = policy();
    const lossAt = (values: Float32Array): number => {
      weights.assign(tf.tensor2d(values, [WIDTH, VOCAB]));
      return tf.tidy(() => papo.evaluate({ ...forward(), ...TOKEN_BATCH }).evaluation.loss);
    };
    const { value, grads } = tf.variableGrads(
      () => papo.evaluate({ ...forward(), ...TOKEN_BATCH }).loss,
      [weights],
    );
    const two = await papo.variableGrads(forward, TOKEN_BATCH, { variables: [weights] });
    t.is(value.dataSync()[0], Math.fround(two.evaluation.loss));
    const slopes = Float32Array.from(grads[weights.name]!.dataSync());
    t.deepEqual(Float32Array.from(two.grads[weights.name]!.dataSync()), slopes);
    const step = 2 ** -6;
    let largest = 0;
    for (let at = 0; at < WEIGHTS.length; at += 3) {
      const [above, below] = [step, -step].map((by) =>
        tf.tidy(() => lossAt(WEIGHTS.map((x, i) => (i === at ? x + by : x)))),
      );
      largest = Math.max(largest, Math.abs((above! - below!) / (2 * step) - slopes[at]!));
    }
    t.log(largest);
    t.true(largest < 2e-5, `${largest}`);
    t.true(Math.max(...slopes.map(Math.abs)) > 0.01);
    tf.dispose([value, grads, two.grads] as never);
    dispose();
  });

  serial(
    "a policy learns, on the tape and in two phases alike, and leaves no tensor",
    async (t) => {
      const curves: number[][] = [];
      for (const asynchronous of [false, true]) {
        const { weights, forward, dispose } = policy();
        const optimizer = tf.train.sgd(0.5);
        const curve: number[] = [];
        const counts = new Set<number>();
        for (let step = 0; step < 12; step++) {
          if (asynchronous) {
            const options = { variables: [weights] };
            const { evaluation, grads } = await papo.variableGrads(forward, TOKEN_BATCH, options);
            optimizer.applyGradients(grads);
            tf.dispose(grads);
            curve.push(evaluation.loss);
          } else {
            optimizer.minimize(
              () => {
                const { loss, evaluation } = papo.evaluate({ ...forward(), ...TOKEN_BATCH });
                curve.push(evaluation.loss);
                return loss;
              },
              false,
              [weights],
            );
          }
          counts.add(tf.memory().numTensors);
        }
        t.is(counts.size, 1);
        t.true(curve.at(-1)! < curve[0]! - 0.1, curve.join(" "));
        t.true(
          curve.every((loss, i) => i === 0 || loss < curve[i - 1]!),
          curve.join(" "),
        );
        curves.push(curve);
        optimizer.dispose();
        dispose();
      }
      t.deepEqual(curves[0], curves[1]);
    },
  );

  serial("nothing of [rows, vocab] is copied on the tape", (t) => {
    const inputs = both();
    const { loss, seen } = lossAndViews(inputs);
    const own = inputs.map((input) =>
      backend === "cpu"
        ? input.dataSync().buffer
        : (tf.backend() as unknown as Wasm).wasm.HEAPU8.buffer,
    );
    t.deepEqual(
      seen.map((data) => data.buffer === own[0] || data.buffer === own[1]),
      [true, true],
    );
    loss.dispose();
    if (backend === "wasm") {
      const f = (logits: tf.Tensor, maskedLogits: tf.Tensor) =>
        papo.evaluate({ logits, maskedLogits, ...TOKEN_BATCH }).loss;
      const moved = traffic(() => tf.dispose(tf.grads(f as never)(inputs)));
      t.true(moved.copied <= 12, `${moved.copied}: the loss, a 1 from above, and its reading`);
      t.is(moved.allocated, 2 * LOGITS.byteLength, "the two gradients, and no clone of them");
      const g = (...logits: tf.Tensor[]) =>
        tfjsLoss(tf, logits, (each) => ({ loss: 0, gradients: [each] }));
      const once = traffic(() => tf.dispose(tf.grads(g as never)(inputs)));
      t.true(once.copied >= LOGITS.byteLength, "a gradient that is brought in is counted");
    }
    tf.dispose(inputs);
  });

  serial("a constant masked branch is not part of the tape", (t) => {
    const [logits, maskedLogits] = tf.tidy(() => both().map((each) => tf.variable(each)));
    const batch = { logits: logits!, maskedLogits: maskedLogits!, ...TOKEN_BATCH };
    const names = (each: typeof papo) => {
      const { value, grads } = tf.variableGrads(() => each.evaluate(batch).loss);
      tf.dispose([value, grads] as never);
      return Object.keys(grads);
    };
    t.deepEqual(names(papo), [logits!.name, maskedLogits!.name]);
    t.deepEqual(names(constant), [logits!.name]);
    tf.disposeVariables();
  });

  serial("fields may be tensors, and a batch may be of log-probs alone", (t) => {
    const { tokenIds, responseMask, advantages, oldLogProbs } = TOKEN_BATCH;
    const grpo = objective("grpo").refKl({ coef: 0 }).build();
    const rows = { responseMask, oldLogProbs, advantages };
    const logProbs = oldLogProbs.map((x, row) => Math.fround(x + 0.05 * Math.sin(row)));
    const given = {
      logProbs: tf.tensor1d(Float32Array.from(logProbs)),
      responseMask: tf.tensor1d(Array.from(responseMask, Boolean), "bool"),
      oldLogProbs: tf.tensor1d(Float32Array.from(oldLogProbs)),
      advantages: tf.tensor1d([...advantages]),
    };
    const cuSeqlens = [0, 3, 6, 9, 12];
    const old = Float32Array.from(oldLogProbs);
    const expected = grpo.evaluate({ ...rows, oldLogProbs: old, logProbs, cuSeqlens });
    const f = (x: tf.Tensor) =>
      tfjsObjective(tf, grpo).evaluate({ ...given, logProbs: x, cuSeqlens }).loss;
    const gradient = tf.grad(f as never)(given.logProbs);
    t.deepEqual(
      Float32Array.from(gradient.dataSync()),
      Float32Array.from(expected.gradLogProbs!.data),
    );
    const [logits, maskedLogits] = both();
    const ids = tf.tensor2d(tokenIds, [4, 3], "int32");
    const { loss, evaluation } = papo.evaluate({
      ...TOKEN_BATCH,
      logits,
      maskedLogits,
      tokenIds: ids,
    });
    t.is(evaluation.loss, plain().loss);
    tf.dispose([...Object.values(given), gradient, ids, loss, logits, maskedLogits]);
  });

  serial("any loss of papo goes on the tape", (t) => {
    const { tokenIds } = TOKEN_BATCH;
    const crossEntropy = valueAndGrad((logits: Tensor<"float32", 2 | 3>) => {
      const logProbs = selectiveLogSoftmax({ logits, tokenIds });
      return neg(reduceTokens(logProbs, { reduction: "sum" }));
    });
    const [logits, other] = both();
    const f = (x: tf.Tensor, y: tf.Tensor) =>
      tfjsLoss(tf, [x, y], (seen) => {
        const [value, gradients] = crossEntropy(seen);
        return { loss: value.item(), gradients };
      });
    const grads = tf.grads(f as never)([logits, other]);
    const z = Array.from(LOGITS.subarray(0, VOCAB), Math.exp);
    const sum = z.reduce((a, b) => a + b, 0);
    const wanted = z.map((x, word) => x / sum - (word === tokenIds[0] ? 1 : 0));
    t.true(difference(grads[0]!.dataSync().slice(0, VOCAB), wanted) < 1e-6);
    t.is(difference(grads[1]!.dataSync(), new Float32Array(LOGITS.length)), 0);
    tf.dispose([logits, other, ...grads]);
  });

  serial("what does not fit is said, and leaves no tensor", async (t) => {
    const [logits, maskedLogits] = both();
    const ints = tf.tensor2d([1, 2], [1, 2], "int32");
    const flat = tf.tensor1d(LOGITS.slice());
    const deep = tf.zeros([1, 1, 1, 1]);
    const gone = tf.tensor2d([1, 2], [1, 2]);
    gone.dispose();
    const cases: [Record<string, unknown>, string, RegExp][] = [
      [{ logits: ints }, "ERR_DTYPE", /logits to hold float32 \(cast them\), received int32/],
      [
        { logits: flat },
        "ERR_SHAPE",
        /\[rows, vocab\] or \[sequences, tokens, vocab\], received \[132\]/,
      ],
      [{ logits: gone }, "ERR_DISPOSED", /logits to be a tf.Tensor, received a disposed one/],
      [{ logits: LOGITS }, "ERR_ARGUMENT", /logits to be a tf.Tensor, received Float32Array/],
      [
        { logProbs: deep },
        "ERR_SHAPE",
        /logProbs \[rows\] or \[sequences, tokens\], received \[1, 1, 1, 1\]/,
      ],
      [{ logits, maskedLogits: ints }, "ERR_DTYPE", /maskedLogits to hold float32/],
      [{ logits, maskedLogits: MASKED_LOGITS }, "ERR_ARGUMENT", /maskedLogits to be a tf.Tensor/],
      [{ logits }, "ERR_ARGUMENT", /maskedLogits/],
      [{ logits, maskedLogits, advantages: [1] }, "ERR_SHAPE", /advantages/],
      [{ logits, maskedLogits, labels: [1] }, "ERR_ARGUMENT", /labels/],
    ];
    for (const [fields, code, message] of cases) {
      const batch = { ...TOKEN_BATCH, ...fields } as never;
      t.throws(() => papo.evaluate(batch), { code, message });
      t.throws(() => tf.grad((() => papo.evaluate(batch).loss) as never)(logits), { code });
      await t.throwsAsync(papo.evaluateAsync(batch), { code, message });
    }
    t.throws(() => papo.evaluate(null as never), { code: "ERR_ARGUMENT" });
    t.throws(() => papo.evaluate({} as never, { step: 1, inPlace: true } as never), {
      code: "ERR_ARGUMENT",
    });
    t.throws(() => tfjsObjective({} as never, PAPO), { message: /import \* as tf from/ });
    t.throws(() => tfjsObjective(tf, objective("grpo") as never), { message: /build\(\)/ });
    t.throws(() => tfjsObjective(tf, revoked({}) as never), { message: /build\(\)/ });
    t.throws(() => tfjsLoss(tf, "logits" as never, () => ({ loss: 0, gradients: [] })), {
      code: "ERR_ARGUMENT",
      message: /logits to be an array of tf\.Tensor, received "logits"/,
    });
    t.throws(() => tfjsLoss(tf, [], () => ({ loss: 0, gradients: [] })), { code: "ERR_ARGUMENT" });
    const holes = new Array(2 ** 32 - 1) as tf.Tensor[];
    t.throws(() => tfjsLoss(tf, holes, () => ({ loss: 0, gradients: [] })), {
      code: "ERR_ARGUMENT",
    });
    let reads = 0;
    const moody = Object.defineProperty([], 0, { get: () => (reads++ === 0 ? logits : {}) });
    tfjsLoss(tf, moody, (each) => ({ loss: 0, gradients: [each] })).dispose();
    for (const result of [undefined, { loss: 1 }, { loss: "1", gradients: [] }]) {
      const code = "ERR_ARGUMENT";
      t.throws(() => tfjsLoss(tf, [logits], (() => result) as never), { code });
    }
    const odd = { loss: 1, gradients: [new Float32Array(LOGITS.length)] };
    const f = (x: tf.Tensor) => tfjsLoss(tf, [x], (() => odd) as never);
    t.throws(() => tf.grad(f as never)(logits), { message: /gradients\[0\] to be a Tensor/ });
    const halves = () => ({ loss: 1, gradients: [zeros([...SHAPE], { dtype: "float16" })] });
    t.throws(() => tf.grad(((x: tf.Tensor) => tfjsLoss(tf, [x], halves)) as never)(logits), {
      code: "ERR_DTYPE",
      message: /gradients\[0\] to hold float32 or float64 without gaps, received float16/,
    });
    await t.throwsAsync(papo.variableGrads((() => logits) as never, TOKEN_BATCH), {
      code: "ERR_ARGUMENT",
    });
    // The clones of what forward gave are disposed of: the count of tensors above holds.
    const dead = maskedLogits.clone();
    dead.dispose();
    const refused = papo.variableGrads(() => ({ logits }), { ...TOKEN_BATCH, refLogProbs: dead });
    await t.throwsAsync(refused, { code: "ERR_DISPOSED" });
    const forward = () => ({ logits, maskedLogits });
    await t.throwsAsync(papo.variableGrads(forward, TOKEN_BATCH, { variables: {} } as never), {
      code: "ERR_ARGUMENT",
      message: /variables to be an array/,
    });
    const aborted = AbortSignal.abort(new Error("enough"));
    await t.throwsAsync(
      papo.evaluateAsync({ logits, maskedLogits, ...TOKEN_BATCH }, { signal: aborted }),
      { message: "enough" },
    );
    tf.dispose([logits, maskedLogits, ints, flat, deep]);
  });

  serial("several losses on one tape, and tapes in tapes, have their gradients", (t) => {
    const expected = plain().gradLogits!.data as Float32Array;
    const [logits, maskedLogits] = both();
    const f = (x: tf.Tensor) => papo.evaluate({ logits: x, maskedLogits, ...TOKEN_BATCH }).loss;
    const twice = tf.grad(((x: tf.Tensor) => tf.add(f(x), f(x))) as never)(logits);
    t.is(
      difference(
        twice.dataSync(),
        expected.map((slope) => 2 * slope),
      ),
      0,
    );
    const inner = (x: tf.Tensor) => {
      const { value, grad } = tf.valueAndGrad(f as never)(x);
      return tf.add(value, tf.sum(tf.mul(grad, 0)));
    };
    const outer = tf.grad(inner as never)(logits);
    t.is(difference(outer.dataSync(), expected), 0);
    // What the outer tape was asked for last is released by the next call.
    tf.dispose([twice, outer, f(logits), logits, maskedLogits]);
  });

  serial("a tape that never asks leaves its gradients to the next call only", (t) => {
    const [logits, maskedLogits] = both();
    const other = tf.scalar(2);
    const batch = { logits, maskedLogits, ...TOKEN_BATCH };
    const f = (x: tf.Tensor) => {
      papo.evaluate(batch);
      return tf.mul(x, 3);
    };
    const before = tf.memory().numTensors;
    for (let round = 0; round < 4; round++) tf.dispose(tf.grad(f as never)(other));
    t.is(tf.memory().numTensors, before + 2);
    tf.dispose([papo.evaluate(batch).loss, other, logits, maskedLogits]);
  });

  serial("without gradients the loss is a constant, and no tape costs no gradient", (t) => {
    const [logits, maskedLogits] = both();
    const batch = { logits, maskedLogits, ...TOKEN_BATCH };
    const f = () => papo.evaluate(batch, { gradients: false }).loss;
    t.throws(() => tf.grad(f as never)(logits), { message: /Cannot compute gradient/ });
    const { loss } = papo.evaluate(batch);
    t.is(loss.dataSync()[0], Math.fround(plain().loss));
    tf.dispose([loss, logits, maskedLogits]);
  });
}

test.serial("wasm: gradients that make the heap grow are right", async (t) => {
  await tf.setBackend("wasm");
  const heap = () => (tf.backend() as unknown as Wasm).wasm.HEAPU8.buffer;
  const kept: tf.Tensor[] = [];
  // 4 MiB each, until the gradient of the next one grows the heap.
  const vocab = 2 ** 16;
  let grown = 0;
  for (let round = 0; round < 12 && grown < 2; round++) {
    const logits = tf.tensor2d(
      Float32Array.from({ length: 16 * vocab }, (_, i) => Math.sin(i)),
      [16, vocab],
    );
    kept.push(logits);
    const before = heap();
    const tokenIds = Int32Array.from({ length: 16 }, (_, row) => row);
    const grpo = objective("grpo").refKl({ coef: 0 }).build();
    const batch = { tokenIds, advantages: [1], cuSeqlens: [0, 16] };
    const f = (x: tf.Tensor) => tfjsObjective(tf, grpo).evaluate({ logits: x, ...batch }).loss;
    const gradient = tf.grad(f as never)(logits);
    kept.push(gradient);
    if (heap() !== before) grown++;
    const slopes = gradient.dataSync<"float32">();
    const sums = Array.from({ length: 16 }, (_, row) => {
      const slope = slopes.subarray(row * vocab, (row + 1) * vocab);
      return slope.reduce((sum, each) => sum + each, 0);
    });
    // −A (1 − p) / 16 at the token, and the rest sums to its opposite.
    t.true(Math.max(...sums.map(Math.abs)) < 1e-5, `${sums}`);
    t.true(Math.abs(slopes[vocab + 1]! + 1 / 16) < 1e-4);
  }
  t.true(grown > 0);
  tf.dispose(kept);
});

interface Wasm {
  readonly wasm: { readonly HEAPU8: Uint8Array };
}

/** The memory that a loss is shown. */
function lossAndViews(inputs: readonly tf.Tensor[]) {
  let seen: Float32Array[] = [];
  const loss = tfjsLoss(tf, inputs, (...logits) => {
    seen = logits.map(({ data }) => data);
    return { loss: 0, gradients: [] };
  });
  return { loss, seen };
}

/** Bytes that cross the border of the WASM heap, in either direction, and those of large results of kernels on it. */
function traffic(run: () => void): { readonly copied: number; readonly allocated: number } {
  type Method = (...of: unknown[]) => unknown;
  type Methods = Record<"readSync" | "write" | "makeOutput", Method>;
  const backend = tf.backend() as unknown as Methods;
  const { readSync, write, makeOutput } = backend;
  let [copied, allocated] = [0, 0];
  backend.readSync = function (this: unknown, ...all: unknown[]) {
    const result = readSync.apply(this, all) as Float32Array;
    copied += result.byteLength;
    return result;
  };
  backend.write = function (this: unknown, ...all: unknown[]) {
    copied += (all[0] as Float32Array | null)?.byteLength ?? 0;
    return write.apply(this, all);
  };
  backend.makeOutput = function (this: unknown, ...all: unknown[]) {
    const bytes = 4 * (all[0] as number[]).reduce((size, each) => size * each, 1);
    if (bytes > 64) allocated += bytes;
    return makeOutput.apply(this, all);
  };
  try {
    run();
  } finally {
    Object.assign(backend, { readSync, write, makeOutput });
  }
  return { copied, allocated };
}
