/** The peers: other engines on which the same loss is written. None is loaded before it is set up. */
import type { Peer } from "./contender.js";
import { JAX } from "./jax.js";
import { ONNXRUNTIME, ONNXRUNTIME_CHUNKS } from "./onnxruntime.js";
import { PLAIN } from "./plain.js";
import { PLAIN_LOOP } from "./plain-loop.js";
import { TFJS_CPU, TFJS_WASM } from "./tfjs.js";
import { TORCH, TORCH_COMPILED, TORCH_DEFAULT_ALLOCATOR } from "./torch.js";

export const PEERS: readonly Peer[] = [
  TORCH,
  TORCH_DEFAULT_ALLOCATOR,
  TORCH_COMPILED,
  ONNXRUNTIME,
  ONNXRUNTIME_CHUNKS,
  JAX,
  TFJS_WASM,
  TFJS_CPU,
  PLAIN_LOOP,
  PLAIN,
];
