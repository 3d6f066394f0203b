/** The doors of `papo/tfjs` and `papo/jax`, with the real packages on their slowest backends. */
import * as jaxPackage from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { type Jax, type JaxArray, jaxObjective } from "../../lib/adapters/jax.js";
import { tfjsLoss, tfjsObjective } from "../../lib/adapters/tfjs.js";
import { tensor } from "../../lib/index.js";
import { LOGITS, MASKED_LOGITS, PAPO, SHAPE, TOKEN_BATCH } from "../adapters/case.js";
import type { Fields } from "../support/valid-calls.js";
import type { Door } from "./doors.js";

const jax = jaxPackage as unknown as Jax<JaxArray> & {
  init(device: "wasm"): Promise<unknown>;
  defaultDevice(device: "wasm"): unknown;
};
/** To be called before any of their doors. */
export async function startFrameworks(): Promise<void> {
  await tf.setBackend("cpu");
  await jax.init("wasm");
  jax.defaultDevice("wasm");
}

const shape = [...SHAPE];
const batch = (): Fields => ({
  ...TOKEN_BATCH,
  tokenIds: TOKEN_BATCH.tokenIds.slice(),
  advantages: [...TOKEN_BATCH.advantages],
});
const options = (): Fields => ({
  gradients: true,
  step: 1,
  perToken: false,
  plan: "auto",
  seed: 1,
});

/** Of TensorFlow.js: tensors of a call are let go at the next one. */
function scoped(fields: () => Fields): () => Fields {
  return () => {
    if (tf.engine().state.activeScope !== undefined) tf.engine().endScope();
    tf.engine().startScope();
    return fields();
  };
}
const tfLogits = (): Fields => ({
  logits: tf.tensor(LOGITS.slice(), shape),
  maskedLogits: tf.tensor(MASKED_LOGITS.slice(), shape),
});
const jaxLogits = (): Fields => ({
  logits: jax.numpy.array(LOGITS.slice(), { shape }),
  maskedLogits: jax.numpy.array(MASKED_LOGITS.slice(), { shape }),
});
const NO_VARIABLES = /^(Cannot find a connection|variableGrads\(\) expects)/;
/** Thrown in the package itself, at what it was handed. */
const thrownIn = (name: string) => (error: Error) => {
  const first = error.stack?.split("\n").find((line) => line.startsWith("    at "));
  return first?.includes(name) === true;
};
const inTfjs = tfjsObjective(tf, PAPO);
const inJax = jaxObjective(jax, PAPO);

export const FRAMEWORK_DOORS: Readonly<Record<string, Door>> = {
  tfjsObjective: {
    valid: () => ({ tf: { ...tf }, objective: PAPO }),
    call: ({ tf, objective }) => tfjsObjective(tf as never, objective as never),
  },
  "TfjsObjective.evaluate": {
    valid: scoped(() => ({ batch: { ...tfLogits(), ...batch() }, options: options() })),
    call: ({ batch, options }) => inTfjs.evaluate(batch as never, options as never).loss,
  },
  "TfjsObjective.evaluateAsync": {
    valid: scoped(() => ({ batch: { ...tfLogits(), ...batch() }, options: options() })),
    call: ({ batch, options }) => inTfjs.evaluateAsync(batch as never, options as never),
  },
  "TfjsObjective.variableGrads": {
    valid: scoped(() => {
      const outputs = tfLogits();
      return { forward: () => outputs, outputs, batch: batch(), options: { signal: undefined } };
    }),
    call: ({ forward, batch, options }) =>
      inTfjs
        .variableGrads(forward as never, batch as never, options as never)
        // There are no variables: the framework says so after papo has done its part.
        .catch((error: Error) => {
          if (!NO_VARIABLES.test(error.message)) throw error;
        }),
  },
  tfjsLoss: {
    valid: scoped(() => ({
      logits: [tfLogits().logits],
      compute: undefined,
      result: { loss: 1, gradients: [tensor(new Float32Array(LOGITS.length), { shape })] },
    })),
    call: ({ logits, compute, result }) =>
      tfjsLoss(tf, logits as never, (compute ?? (() => result)) as never),
  },
  jaxObjective: {
    valid: () => ({ jax: { vjp: jax.vjp, numpy: { ...jax.numpy } }, objective: PAPO }),
    call: ({ jax, objective }) => jaxObjective(jax as never, objective as never),
  },
  "JaxObjective.evaluateAsync": {
    valid: () => ({ batch: { ...jaxLogits(), ...batch() }, options: options() }),
    call: ({ batch, options }) => inJax.evaluateAsync(batch as never, options as never),
  },
  "JaxObjective.valueAndGrad": {
    foreign: thrownIn("@jax-js/jax"),
    // Not the parameters: jax-js walks them, also a tree of 2^32 - 1 holes, and dies of it.
    valid: () => ({
      forward: (parameters: unknown) => parameters,
      batch: batch(),
      options: { step: 1, signal: undefined },
    }),
    call: ({ forward, batch, options }) =>
      inJax.valueAndGrad(forward as never, jaxLogits(), batch as never, options as never),
  },
};
