/** `npm run bench:adapters`: what the adapters add to papo itself, in milliseconds and in copies of [rows, vocab]. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { jaxObjective } from "../lib/adapters/jax.js";
import { tfjsLoss, tfjsObjective } from "../lib/adapters/tfjs.js";
import { objective, tensor } from "../lib/index.js";
import { notInstalled, peerPackage } from "./contenders/peer-packages.js";

const [ROWS, VOCAB] = [256, 32_000];
const SHAPE = [1, ROWS, VOCAB] as const;
const ROUNDS = 9;

const PAPO = objective("papo-g-3b-no-ref", { form: "corrected" }).build();
const logits = Float32Array.from({ length: ROWS * VOCAB }, (_, i) => 4 * Math.sin(i));
const maskedLogits = Float32Array.from({ length: ROWS * VOCAB }, (_, i) => 3 * Math.sin(1.1 * i));
const rows = {
  tokenIds: Int32Array.from({ length: ROWS }, (_, row) => row * 97),
  oldLogProbs: new Float64Array(ROWS).fill(-10),
  advantages: [1],
};

/** Median of the rounds after a first one, in milliseconds. */
async function measure(title: string, run: () => unknown): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const begun = performance.now();
    await run();
    if (round > 0) times.push(performance.now() - begun);
  }
  const middle = times.sort((a, b) => a - b)[ROUNDS >> 1] as number;
  console.log(`${title.padEnd(64)} ${middle.toFixed(1)} ms`);
}

const plain = {
  logits: tensor(logits, { shape: SHAPE }),
  maskedLogits: tensor(maskedLogits, { shape: SHAPE }),
  ...rows,
};
const gradLogits = tensor(new Float32Array(ROWS * VOCAB).fill(1), { shape: SHAPE });
const gradMaskedLogits = tensor(new Float32Array(ROWS * VOCAB).fill(1), { shape: SHAPE });
console.log(`two sets of logits [${ROWS}, ${VOCAB}] float32, loss and both gradients; medians`);
await measure("papo, memory kept from call to call", () =>
  PAPO.evaluate(plain, { gradLogits, gradMaskedLogits }),
);
await measure("papo, fresh memory for gradients", () => PAPO.evaluate(plain));

for (const backend of ["cpu", "wasm"]) {
  await tf.setBackend(backend);
  const papo = tfjsObjective(tf, PAPO);
  const inputs = [logits, maskedLogits].map((each) => tf.tensor(each.slice(), [...SHAPE]));
  const [a, b] = inputs as [tf.Tensor, tf.Tensor];
  const onTape = (x: tf.Tensor, y: tf.Tensor) =>
    papo.evaluate({ logits: x, maskedLogits: y, ...rows }).loss;
  await measure(`tfjs ${backend}: papo.evaluate, gradients by tf.grads`, () =>
    tf.dispose(tf.grads(onTape as never)(inputs)),
  );
  const external = (x: tf.Tensor, y: tf.Tensor) =>
    tfjsLoss(tf, [x, y], (one, other) => {
      const evaluation = PAPO.evaluate({ logits: one, maskedLogits: other, ...rows });
      const { loss, gradLogits, gradMaskedLogits } = evaluation;
      return { loss, gradients: [gradLogits, gradMaskedLogits] };
    });
  await measure(`tfjs ${backend}: tfjsLoss, gradients brought in`, () =>
    tf.dispose(tf.grads(external as never)(inputs)),
  );
  await measure(`tfjs ${backend}: papo.evaluateAsync`, async () => {
    const { gradients } = await papo.evaluateAsync({ logits: a, maskedLogits: b, ...rows });
    tf.dispose(gradients as tf.NamedTensorMap);
  });
  tf.dispose(inputs);
}

const absent = notInstalled("@jax-js/jax");
if (absent) console.log(`jax-js: ${absent}`);
else await measureJax();

async function measureJax(): Promise<void> {
  interface Array_ {
    readonly ref: Array_;
    readonly refCount: number;
    readonly shape: readonly number[];
    readonly dtype: string;
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  interface Package {
    readonly vjp: (forward: never, primals: never) => unknown;
    readonly numpy: {
      array(values: Float32Array<ArrayBuffer>, options: { shape: number[] }): Array_;
      zeros(shape: number[]): Array_;
    };
    init(device: "wasm"): Promise<unknown>;
    defaultDevice(device: "wasm"): unknown;
  }
  const jax = peerPackage<Package>("@jax-js/jax");
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const papo = jaxObjective(jax, PAPO);
  const shape = [...SHAPE];
  const a = jax.numpy.array(logits, { shape });
  const b = jax.numpy.array(maskedLogits, { shape });
  const identity = (parameters: { logits: Array_; maskedLogits: Array_ }) => parameters;
  await measure("jax-js wasm: papo.valueAndGrad of the logits themselves", async () => {
    const parameters = { logits: a.ref, maskedLogits: b.ref };
    const { gradients } = await papo.valueAndGrad(identity, parameters, rows);
    gradients.logits.dispose();
    gradients.maskedLogits.dispose();
  });
}
