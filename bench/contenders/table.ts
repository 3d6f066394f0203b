/** Who takes part, and at which size. */
import type { Contender } from "./contender.js";

const float32 = { dtype: "float32", inPlace: false } as const;
const bfloat16 = { dtype: "bfloat16", inPlace: false } as const;
const fused = async () => (await import("./papo.js")).setUpFused;
const composed = async () => (await import("./papo.js")).setUpComposed;

/** Rows of the engine's cases: 0.3 GB of float32 in and as much out, ten times what caches hold. */
const ROWS = 128;

export const CONTENDERS: readonly Contender[] = [
  {
    name: "fused-one-thread",
    label: "papo, fused",
    rows: ROWS,
    threads: 1,
    variant: float32,
    outputs: "given",
    setUp: fused,
  },
  {
    name: "fused",
    label: "papo, fused",
    rows: ROWS,
    threads: "all",
    variant: float32,
    outputs: "given",
    setUp: fused,
  },
  {
    name: "fused-in-place",
    label: "papo, fused, in place",
    rows: ROWS,
    threads: "all",
    variant: { dtype: "float32", inPlace: true },
    outputs: "the logits",
    setUp: fused,
  },
  {
    name: "fused-bfloat16",
    label: "papo, fused, bfloat16",
    rows: ROWS,
    threads: "all",
    variant: bfloat16,
    outputs: "given",
    setUp: fused,
  },
  {
    name: "composed",
    label: "papo, composed + autograd",
    rows: ROWS,
    threads: "all",
    variant: float32,
    outputs: "given",
    setUp: composed,
  },
  {
    // The WebAssembly heap ends at 4 GiB; at 64 rows it holds about half of that.
    name: "tfjs-wasm",
    label: "TensorFlow.js, wasm",
    rows: 64,
    threads: 1,
    variant: float32,
    outputs: "its own",
    setUp: async () => (await import("./tfjs.js")).setUpTfjs,
  },
  {
    // Readable rather than fast; more rows would only take longer.
    name: "plain",
    label: "plain TypeScript (the float64 reference)",
    rows: 16,
    threads: 1,
    variant: float32,
    outputs: "fresh",
    setUp: async () => (await import("./plain.js")).setUpPlain,
  },
];
