/** TensorFlow.js on its WebAssembly backend (SIMD; in Node it has one thread) and on its plain JavaScript one. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Peer } from "./contender.js";

const require = createRequire(import.meta.url);
const WASM = "@tensorflow/tfjs-backend-wasm";

export const TFJS_WASM: Peer = {
  name: "tfjs-wasm",
  label: "TensorFlow.js, WASM",
  operations: ["forward", "gradients"],
  threads: "one",
  // The heap ends at 4 GiB, and its indices are signed: above 2 GiB some kernels fail.
  largest: () => ({ logits: 0, reason: "" }),
  absent: async () => undefined,
  version: async () => (require(`${WASM}/package.json`) as { version: string }).version,
  async setUp(batch, setting) {
    const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
    setWasmPaths(`${dirname(require.resolve(WASM))}/`);
    return (await import("./tfjs-loss.js")).setUpLoss("wasm", batch, setting);
  },
};

export const TFJS_CPU: Peer = {
  ...TFJS_WASM,
  name: "tfjs-cpu",
  label: "TensorFlow.js, cpu",
  largest: () => ({ logits: 8 * 151_936, reason: "its time" }),
  async setUp(batch, setting) {
    await import("@tensorflow/tfjs-backend-cpu");
    return (await import("./tfjs-loss.js")).setUpLoss("cpu", batch, setting);
  },
};
