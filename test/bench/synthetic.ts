/** A result that no machine measured: round numbers from simple rules, with everything in it that reports have to show. */
import type {
  BenchResult,
  Errors,
  Operation,
  Outputs,
  Part,
  Roofline,
  Row,
  Spread,
} from "../../bench/result.js";

const spread = (median: number, width = 0.02): Spread => ({ median, spread: width, samples: 15 });

function roofline(threads: number): Roofline {
  const scaled = (one: number, two: number) => spread(threads === 1 ? one : two, 0.03);
  return {
    threads,
    read: scaled(30e9, 40e9),
    copy: scaled(26e9, 34e9),
    streamingCopy: scaled(38e9, 47e9),
    twoByTwo: scaled(44e9, 50e9),
    update: scaled(40e9, 48e9),
    write: scaled(27e9, 27.5e9),
    exponentials: { avx2: scaled(7.5e9, 15e9), avx512: scaled(9.5e9, 18.5e9) },
  };
}

/** What a row differs in from: papo, float32, forward, 1024 rows, one thread. */
type Given = Partial<Omit<Row, "part" | "time">> & {
  /** Of papo's rows; a peer's time is a multiple of the floor as well. */
  readonly share?: number;
};

const ERRORS: Errors = { logProb: 2e-7, entropy: 4e-7, kl: 9e-8, loss: 2.4e-8 };

export function row(part: string, given: Given = {}): Row {
  const {
    rows = 1024,
    vocab = 151_936,
    dtype = "float32",
    threads = 1,
    padding = 0,
    operation = "forward",
    outputs = operation === "gradients" ? "given" : "none",
    contender = "papo",
    share = 0.9,
  } = given;
  const logits = 2 * Math.round(rows * (1 - padding)) * vocab;
  const width = dtype === "float32" ? 4 : 2;
  const limits = roofline(threads);
  const bytes = logits * width * (operation === "gradients" ? 2 : 1);
  const bandwidth = operation === "gradients" ? limits.twoByTwo.median : limits.read.median;
  const floor = Math.max(bytes / bandwidth, logits / (limits.exponentials.avx512?.median ?? 0));
  const time = floor / share;
  const gradients = dtype === "float32" ? 7e-8 : 1.7e-3;
  return {
    part,
    name: [contender, operation, outputs, dtype, rows, vocab, threads, padding].join("-"),
    label: contender,
    contender,
    operation,
    rows,
    vocab,
    dtype,
    threads,
    ...(contender === "papo" ? { isa: "avx512", share } : {}),
    outputs,
    padding,
    mode: "sync",
    distribution: "plain",
    time: spread(time),
    bytes,
    exponentials: logits,
    nsPerLogit: (time * 1e9) / logits,
    bytesPerSecond: bytes / time,
    floor,
    extraBytes: 1.5 * 2 ** 20,
    errors: operation === "gradients" ? { loss: ERRORS.loss as number, gradients } : ERRORS,
    ...given,
  };
}

const FORMS: readonly (readonly [Operation, Outputs, number])[] = [
  ["forward", "none", 0.93],
  ["gradients", "given", 0.68],
  ["gradients", "in place", 0.74],
];

function forms(part: string): Row[] {
  const rows: Row[] = [];
  for (const dtype of ["float32", "bfloat16", "float16"] as const) {
    for (const [operation, outputs, share] of FORMS) {
      for (const threads of [1, 2]) {
        const its = share * (dtype === "float32" ? 1 : 0.8) + (threads - 1) * 0.06;
        rows.push(row(part, { dtype, operation, outputs, threads, share: its }));
      }
    }
  }
  return rows;
}

function sweep(part: string, settings: readonly Given[]): Row[] {
  return settings.flatMap((setting) =>
    FORMS.map(([operation, outputs, share]) => {
      const small = 1 - 0.15 * Math.exp(-(setting.rows ?? 1024) / 8);
      return row(part, {
        operation,
        outputs,
        ...setting,
        share: share * small,
      });
    }),
  );
}

const PEERS: readonly (readonly [string, string, number, number, number, Errors])[] = [
  ["papo-composed", "papo, composed", 0.83, 0.4, 1, ERRORS],
  ["onnxruntime", "ONNX Runtime", 0.09, 0.02, 1024, { logProb: 6e-5, entropy: 6e-5, kl: 7e-5 }],
  [
    "torch",
    "PyTorch, tuned allocator",
    0.05,
    0.03,
    1024,
    { logProb: 1e-4, entropy: 1e-4, kl: 7e-5 },
  ],
  [
    "torch-compile",
    "PyTorch, torch.compile, tuned allocator",
    0.08,
    0.04,
    1024,
    { logProb: 1e-4, entropy: 1e-4, kl: 7e-5 },
  ],
  ["torch-default-allocator", "PyTorch", 0.013, 0.006, 1024, { logProb: 1e-4, kl: 7e-5 }],
  [
    "tfjs-wasm",
    "TensorFlow.js, WASM",
    0.0075,
    0.004,
    13,
    { logProb: 6e-4, entropy: 3.5e-4, kl: 1e-4 },
  ],
  ["jax-wasm", "jax-js, WASM", 0.006, 0.003, 64, { logProb: 3e-6, entropy: 5e-6, kl: 2e-6 }],
  [
    "plain",
    "plain TypeScript, float64",
    0.0054,
    0.0055,
    26,
    { logProb: 3e-14, entropy: 0, kl: 3e-14 },
  ],
  ["tfjs-cpu", "TensorFlow.js, cpu", 0.0006, 0.0003, 6, { logProb: 3e-7, entropy: 2e-6, kl: 4e-7 }],
];

function peers(part: string): Row[] {
  const rows: Row[] = [];
  for (const operation of ["forward", "gradients"] as const) {
    for (const threads of [1, 2]) {
      rows.push(
        row(part, {
          operation,
          threads,
          label: "papo",
          share: operation === "forward" ? 0.93 : 0.7,
        }),
      );
      for (const [contender, label, forward, gradients, most, errors] of PEERS) {
        const single = /tfjs|jax|plain/.test(contender);
        if (single && threads > 1) continue;
        rows.push(
          row(part, {
            operation,
            threads,
            contender,
            label,
            rows: most === 1 ? 1024 : most,
            outputs:
              contender === "papo-composed"
                ? operation === "forward"
                  ? "none"
                  : "given"
                : "its own",
            share: operation === "forward" ? forward : gradients,
            errors:
              operation === "forward"
                ? errors
                : { loss: errors.kl ?? 0, gradients: errors.logProb ?? 0 },
            extraBytes: most === 1 ? 2e6 : 3e9 * (1 - forward),
            ...(most > 1 && most < 1024 ? { note: `${most} rows are the most it can hold` } : {}),
          }),
        );
      }
    }
  }
  return rows.map((each) => {
    const own = rows.find(
      ({ contender, operation, threads }) =>
        contender === "papo" && operation === each.operation && threads === each.threads,
    );
    return own === undefined || own === each ? each : relativeTo(own, each);
  });
}

export const relativeTo = (base: Row, each: Row): Row => ({
  ...each,
  relative: { to: base.name, time: spread(each.nsPerLogit / base.nsPerLogit) },
});

/** Everything that any report draws, in parts by the names that the suite gives them. */
export function syntheticResult(): BenchResult {
  const part = (name: string, title: string, rows: readonly Row[], absent = {}): Part => ({
    name,
    title,
    rows,
    rooflines: [...new Set(rows.map(({ threads }) => threads))].map(roofline),
    absent,
  });
  const vocabularies = [32_000, 65_536, 128_256, 151_936, 262_144];
  const heights = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
  return {
    date: "2000-01-01",
    commit: "0000000",
    machine: {
      cpu: "A processor that does not exist",
      processors: 2,
      isa: "avx512",
      memoryBytes: 16 * 2 ** 30,
      node: "v0.0.0",
      compiler: "gcc 0.0.0",
      versions: { "TensorFlow.js": "0.0.0", torch: "0.0.0" },
    },
    parts: [
      part("forms", "papo against the machine's floor", forms("forms")),
      part(
        "vocab",
        "Cost against the vocabulary",
        sweep(
          "vocab",
          vocabularies.map((vocab) => ({ vocab, threads: 2 })),
        ),
      ),
      part(
        "rows",
        "Cost against rows",
        sweep(
          "rows",
          heights.map((rows) => ({ rows, threads: 2 })),
        ),
      ),
      part(
        "threads",
        "Cost against threads",
        sweep(
          "threads",
          [1, 2, 4, 8].map((threads) => ({ threads })),
        ),
      ),
      part("peers", "Against other engines", peers("peers"), {
        "a peer of the future": "not written yet",
      }),
    ],
  };
}
