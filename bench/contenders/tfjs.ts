/** TensorFlow.js on its WebAssembly backend (SIMD; in Node it has one thread) and on its plain JavaScript one. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Peer } from "./contender.js";
import { setUpLoss, type Tfjs } from "./tfjs-loss.js";

const require = createRequire(import.meta.url);
const WASM = "@tensorflow/tfjs-backend-wasm";

export const TFJS_WASM: Peer = {
  name: "tfjs-wasm",
  label: "TensorFlow.js, WASM",
  operations: ["forward", "gradients"],
  threads: "one",
  largest: (operation) => ({
    logits: (operation === "gradients" ? 128 : 512) * 151_936,
    reason: "its heap ends at 4 GiB",
  }),
  absent: async () => undefined,
  version: async () => (require(`${WASM}/package.json`) as { version: string }).version,
  async setUp(batch, setting) {
    const { setWasmPaths } = require(WASM) as typeof import("@tensorflow/tfjs-backend-wasm");
    setWasmPaths(`${dirname(require.resolve(WASM))}/`);
    return setUpLoss(await library("wasm"), batch, setting);
  },
};

export const TFJS_CPU: Peer = {
  ...TFJS_WASM,
  name: "tfjs-cpu",
  label: "TensorFlow.js, cpu",
  largest: () => ({ logits: 8 * 151_936, reason: "its time" }),
  async setUp(batch, setting) {
    require("@tensorflow/tfjs-backend-cpu");
    return setUpLoss(await library("cpu"), batch, setting);
  },
};

/** The library with gradients, a backend, and without its checks of arguments and its advice. */
async function library(backend: "cpu" | "wasm"): Promise<Tfjs> {
  const tf = require("@tensorflow/tfjs-core") as Tfjs;
  // Its bundle for Node registers no gradients; they lie beside it, loadable only this way.
  require("@tensorflow/tfjs-core/dist/register_all_gradients");
  tf.enableProdMode();
  await tf.setBackend(backend);
  return tf;
}
