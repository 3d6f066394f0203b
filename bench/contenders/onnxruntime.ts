/** ONNX Runtime's package for Node.js: hand-made graphs over our buffers, outputs given, for the whole batch or a few rows a call. */
import type { Batch } from "../cases.js";
import type { Evaluation, Peer, Setting } from "./contender.js";
import { lossModel } from "./onnx-loss.js";
import { installedVersion, notInstalled, peerPackage } from "./peer-packages.js";

const PACKAGE = "onnxruntime-node";

export const ONNXRUNTIME: Peer = {
  name: "onnxruntime",
  label: "ONNX Runtime, one call",
  operations: ["forward", "gradients"],
  threads: "any",
  largest: () => undefined,
  absent: async () => notInstalled(PACKAGE),
  version: async () => installedVersion(PACKAGE) ?? "unknown",
  setUp: (batch, setting) => setUp(batch, setting, batch.rows),
};

/** Rows of a call whose intermediate tensors stay in the caches of a core. */
const CHUNK = 4;

export const ONNXRUNTIME_CHUNKS: Peer = {
  ...ONNXRUNTIME,
  name: "onnxruntime-chunks",
  label: `ONNX Runtime, ${CHUNK} rows a call`,
  setUp: (batch, setting) => setUp(batch, setting, CHUNK),
};

type Tensors = Readonly<Record<string, unknown>>;

interface Package {
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<Session>;
  };
  readonly Tensor: new (
    type: string,
    data: Float32Array | BigInt64Array,
    shape: readonly number[],
  ) => unknown;
}

interface Session {
  run(inputs: Tensors, outputs: Tensors): Promise<unknown>;
  release(): Promise<void>;
}

const COLUMNS = ["losses", "logProbs", "entropy", "kl"] as const;
const GRADIENTS = ["gradLogits", "gradMaskedLogits"] as const;

async function setUp(batch: Batch, setting: Setting, chunk: number): Promise<Evaluation> {
  const { InferenceSession, Tensor } = peerPackage<Package>(PACKAGE);
  const { rows, vocab, logits, maskedLogits } = batch;
  const withGradients = setting.operation === "gradients";
  const session = await InferenceSession.create(lossModel(vocab, rows, withGradients), {
    intraOpNumThreads: setting.threads,
    interOpNumThreads: 1,
  });
  const outputs = {
    ...arrays(COLUMNS, rows),
    // Their pages are touched here, as a trainer's that keeps its buffers.
    ...arrays(withGradients ? GRADIENTS : [], rows * vocab),
  };
  const columns = {
    oldLogProbs: Float32Array.from(batch.oldLogProbs),
    refLogProbs: Float32Array.from(batch.refLogProbs),
    advantages: Float32Array.from(batch.advantages),
  };
  const tokenIds = BigInt64Array.from(batch.tokenIds, BigInt);

  const calls: (readonly [inputs: Tensors, outputs: Tensors])[] = [];
  for (let begin = 0; begin < rows; begin += chunk) {
    const end = Math.min(rows, begin + chunk);
    const tensors = (all: Readonly<Record<string, Float32Array>>): Tensors =>
      Object.fromEntries(
        Object.entries(all).map(([name, data]) => {
          const width = data.length / rows;
          const part = data.subarray(begin * width, end * width);
          return [name, new Tensor("float32", part, [end - begin, width])];
        }),
      );
    const ids = new Tensor("int64", tokenIds.subarray(begin, end), [end - begin, 1]);
    calls.push([
      { ...tensors({ logits, maskedLogits, ...columns }), tokenIds: ids },
      tensors(outputs),
    ]);
  }
  return {
    async run() {
      for (const [given, taken] of calls) await session.run(given, taken);
    },
    results: () => ({ ...outputs, loss: outputs.losses.reduce((sum, loss) => sum + loss, 0) }),
    freshOutputBytes: 0,
    close: () => session.release(),
  };
}

function arrays<N extends string>(
  names: readonly N[],
  length: number,
): Readonly<Record<N, Float32Array>> {
  const entries = names.map((name) => [name, new Float32Array(length).fill(1)] as const);
  return Object.fromEntries(entries) as Record<N, Float32Array>;
}
