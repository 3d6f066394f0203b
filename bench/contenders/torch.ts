/** PyTorch, eager with autograd or compiled, in a Python process of its own that is driven over its pipes. */
import { execFile, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Batch, OBJECTIVE } from "../cases.js";
import type { Evaluation, Peer, Results, Setting } from "./contender.js";
import { Pipes } from "./torch-pipes.js";

/** A Python with torch: `PAPO_BENCH_PYTHON`, or the first `python3` of the path. */
const python = process.env.PAPO_BENCH_PYTHON ?? "python3";
const script = fileURLToPath(new URL("../peers/torch_peer.py", import.meta.url));

/** glibc's malloc keeps what is freed; by default it gives large tensors back, and the next ones touch new pages. */
const KEEPING = { MALLOC_MMAP_MAX_: "0", MALLOC_TRIM_THRESHOLD_: "99999999999" };

export const TORCH: Peer = {
  name: "torch",
  label: "PyTorch, tuned allocator",
  operations: ["forward", "gradients"],
  threads: "any",
  largest: () => undefined,
  absent,
  version: async () => (await torchVersion()) ?? "unknown",
  setUp: (batch, setting) => setUp(batch, setting, false),
  environment: (setting) => ({ ...threadCount(setting), ...KEEPING }),
};

export const TORCH_DEFAULT_ALLOCATOR: Peer = {
  ...TORCH,
  name: "torch-default-allocator",
  label: "PyTorch",
  environment: threadCount,
};

/** Its first runs compile; it needs a C++ compiler on the path. */
export const TORCH_COMPILED: Peer = {
  ...TORCH,
  name: "torch-compiled",
  label: "PyTorch, torch.compile, tuned allocator",
  setUp: (batch, setting) => setUp(batch, setting, true),
};

function threadCount({ threads }: Setting): Readonly<Record<string, string>> {
  return { OMP_NUM_THREADS: String(threads) };
}

async function absent(): Promise<string | undefined> {
  if ((await torchVersion()) !== undefined) return undefined;
  return `no Python with torch was found as ${python} (PAPO_BENCH_PYTHON names another)`;
}

let version: Promise<string | undefined> | undefined;

/** Undefined where Python or torch is not there. Asked once: it takes a second or two. */
function torchVersion(): Promise<string | undefined> {
  version ??= promisify(execFile)(python, ["-c", "import torch; print(torch.__version__)"]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  return version;
}

async function setUp(batch: Batch, setting: Setting, compiled: boolean): Promise<Evaluation> {
  const { rows, vocab } = batch;
  const peer = new Pipes(spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] }));
  const load = {
    do: "load",
    rows,
    vocab,
    threads: setting.threads,
    compiled,
    objective: OBJECTIVE,
  };
  await peer.ask(load, [
    batch.logits,
    batch.maskedLogits,
    batch.tokenIds,
    ...[batch.oldLogProbs, batch.refLogProbs, batch.advantages].map((x) => Float32Array.from(x)),
  ]);
  return {
    async run() {
      const { seconds } = await peer.ask({ do: "run", operation: setting.operation });
      return seconds as number;
    },
    async results(): Promise<Results> {
      const { lengths } = await peer.ask({ do: "results" });
      const arrays: Record<string, Float32Array> = {};
      for (const [name, length] of Object.entries(lengths as Record<string, number>)) {
        arrays[name] = await peer.floats(length);
      }
      return { ...arrays, loss: arrays.loss?.[0] as number };
    },
    freshOutputBytes: setting.operation === "gradients" ? 2 * 4 * rows * vocab : 0,
    pid: peer.pid,
    close: () => peer.close(),
  };
}
