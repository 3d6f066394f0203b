/** jax-js on its WebAssembly backend (one thread in Node): `valueAndGrad` under `jit`, which fuses the loss into few kernels. */
import { type Batch, OBJECTIVE } from "../cases.js";
import type { Evaluation, Peer, Setting } from "./contender.js";
import { installedVersion, notInstalled, peerPackage } from "./peer-packages.js";

const PACKAGE = "@jax-js/jax";

export const JAX: Peer = {
  name: "jax-wasm",
  label: "jax-js, WASM",
  operations: ["forward", "gradients"],
  threads: "one",
  largest: (operation) => ({
    logits: (operation === "gradients" ? 384 : 512) * 151_936,
    reason: "its heap ends at 4 GiB",
  }),
  absent: async () => notInstalled(PACKAGE),
  version: async () => installedVersion(PACKAGE) ?? "unknown",
  setUp,
};

/** What of an array is used here; an array is consumed by its use, `ref` keeps it for another one. */
interface Jax
  extends Record<"add" | "sub" | "mul" | "less" | "equal", (other: Jax | number) => Jax> {
  readonly ref: Jax;
  neg(): Jax;
  reshape(shape: readonly number[]): Jax;
  dataSync(): Float32Array;
}

type Numpy = Record<
  "exp" | "mean" | "arange" | "array",
  (x: Jax | ArrayLike<number> | number) => Jax
> &
  Record<"maximum" | "minimum", (a: Jax, b: Jax) => Jax> & {
    sum(x: Jax, axis: number): Jax;
    clip(x: Jax, low: number, high: number): Jax;
    where(condition: Jax, x: Jax, y: Jax | number): Jax;
    takeAlongAxis(x: Jax, indices: Jax, axis: number): Jax;
  };

/** [loss, [log-probs, entropy, KL]] */
type Outputs = readonly [Jax, readonly Jax[]];
type Loss = (...inputs: Jax[]) => Outputs;

interface Package {
  readonly numpy: Numpy;
  readonly nn: { logSoftmax(x: Jax, axis: number): Jax };
  readonly tree: { dispose(tree: unknown): void };
  init(device: "wasm"): Promise<unknown>;
  defaultDevice(device: "wasm"): unknown;
  jit<F>(f: F): F;
  valueAndGrad(
    f: Loss,
    options: object,
  ): (...inputs: Jax[]) => readonly [Outputs, readonly [Jax, Jax]];
  blockUntilReady<T>(outputs: T): Promise<T>;
}

async function setUp(batch: Batch, { operation }: Setting): Promise<Evaluation> {
  const jax = peerPackage<Package>(PACKAGE);
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const { array } = jax.numpy;
  const shape = [batch.rows, batch.vocab];
  const column = (values: ArrayLike<number>) => array(Float32Array.from(values));
  const inputs = [
    array(batch.logits).reshape(shape),
    array(batch.maskedLogits).reshape(shape),
    array(batch.tokenIds).reshape([batch.rows, 1]),
    column(batch.oldLogProbs),
    column(batch.refLogProbs),
    column(batch.advantages),
  ];
  const forward = jax.jit(lossOf(jax, takeAlong(jax)));
  const options = { argnums: [0, 1], hasAux: true };
  const withGradients = jax.jit(jax.valueAndGrad(lossOf(jax, compare(jax, batch.vocab)), options));
  const evaluate = (...all: Jax[]) =>
    operation === "gradients" ? withGradients(...all) : ([forward(...all), []] as const);
  let last: readonly [Outputs, readonly Jax[]] | undefined;
  return {
    async run() {
      jax.tree.dispose(last);
      last = await jax.blockUntilReady(evaluate(...inputs.map(({ ref }) => ref)));
    },
    results() {
      const [[loss, statistics], grads] = last as NonNullable<typeof last>;
      const [logProbs, entropy, kl, gradLogits, gradMaskedLogits] = [...statistics, ...grads].map(
        ({ ref }) => ref.dataSync(),
      ) as [Float32Array, Float32Array, Float32Array, Float32Array?, Float32Array?];
      return {
        loss: loss.ref.dataSync()[0] as number,
        logProbs,
        entropy,
        kl,
        ...(gradLogits && gradMaskedLogits && { gradLogits, gradMaskedLogits }),
      };
    },
    freshOutputBytes: operation === "gradients" ? 2 * 4 * batch.rows * batch.vocab : 0,
  };
}

/** One element of each row. */
type Pick = (values: Jax, tokenIds: Jax) => Jax;

/** By a look-up; under `jit` it has no gradient ("routine primitive scatter input is not imm"). */
function takeAlong({ numpy }: Package): Pick {
  return (values, tokenIds) => numpy.sum(numpy.takeAlongAxis(values, tokenIds, 1), 1);
}

/** By a comparison with every column, fused into the sum; `nn.oneHot` would make a square of the vocabulary first. */
function compare({ numpy }: Package, vocab: number): Pick {
  return (values, tokenIds) => {
    const chosen = numpy.arange(vocab).reshape([1, vocab]).equal(tokenIds);
    return numpy.sum(numpy.where(chosen, values, 0), 1);
  };
}

function lossOf({ numpy: np, nn }: Package, pick: Pick): Loss {
  return (logits, maskedLogits, tokenIds, oldLogProbs, refLogProbs, advantages) => {
    const logP = nn.logSoftmax(logits, -1);
    const logQ = nn.logSoftmax(maskedLogits, -1);
    const p = np.exp(logP.ref);
    const entropy = np.sum(p.ref.mul(logP.ref), 1).neg();
    const maskedEntropy = np.sum(np.exp(logQ.ref).mul(logQ.ref), 1).neg();
    const kl = np.sum(p.mul(logP.ref.sub(logQ)), 1);
    const logProbs = pick(logP, tokenIds);

    const ratio = np.exp(logProbs.ref.sub(oldLogProbs));
    const clipped = np.clip(ratio.ref, 1 - OBJECTIVE.clipLow, 1 + OBJECTIVE.clipHigh);
    const minusAdvantages = advantages.ref.neg();
    const pessimistic = np.maximum(
      minusAdvantages.ref.mul(ratio),
      minusAdvantages.ref.mul(clipped),
    );
    const bounded = np.minimum(pessimistic.ref, minusAdvantages.mul(OBJECTIVE.clipDual));
    const surrogate = np.where(advantages.less(0), bounded, pessimistic);
    const difference = refLogProbs.sub(logProbs.ref);
    const refKl = np.exp(difference.ref).sub(1).sub(difference);

    const terms = surrogate
      .add(refKl.mul(OBJECTIVE.refKlCoef))
      .sub(kl.ref.mul(OBJECTIVE.perceptionKlCoef))
      .add(entropy.ref.mul(OBJECTIVE.entropyCoef))
      .add(maskedEntropy.mul(OBJECTIVE.maskedEntropyCoef));
    return [np.mean(terms), [logProbs, entropy, kl]];
  };
}
