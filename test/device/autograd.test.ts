/** Gradients of losses whose logits lie on a device: left beside them, added in place, handed over. */
import anyTest from "ava";
import {
  add,
  backward,
  backwardAsync,
  type Logits,
  mul,
  noGrad,
  papoLoss,
  reduceTokens,
  type Scalar,
  scalar,
  Tensor,
  tokenStats,
  valueAndGrad,
  valueAndGradAsync,
  zeros,
} from "../../lib/index.js";
import { valuesOf } from "../objective/batches.js";
import type { EngineBatch } from "../ops/engine-batch.js";
import { assertClose } from "../support/close.js";
import { GRADIENT_TOLERANCES } from "../support/tolerances.js";
import { onSimulation } from "./conditions.js";
import {
  batches,
  callsOf,
  collect,
  DEVICE,
  failure,
  freeBytes,
  opOf,
  whileFailing,
} from "./devices.js";

/** One after the other: they look at the memory of the device, and at calls of the addon. */
const test = anyTest.serial;
/** Memory to the byte; a real GPU hands it out in large pages, and to others. */

const TOLERANCE = GRADIENT_TOLERANCES.float32;

function leaves(batch: EngineBatch): EngineBatch {
  const [logits, maskedLogits] = [batch.logits, batch.maskedLogits].map((of) =>
    of.alias({ requiresGrad: true }),
  ) as [EngineBatch["logits"], EngineBatch["logits"]];
  return { ...batch, logits, maskedLogits };
}

/** A loss of every statistic, written by hand. */
function ownLoss({ logits, maskedLogits, tokenIds, responseMask }: EngineBatch): Scalar {
  const { logProbs, entropy, kl, reverseKl, maskedEntropy } = tokenStats({
    ...{ logits, maskedLogits, tokenIds, responseMask },
  });
  const entropies = add(mul(entropy, 0.3), mul(maskedEntropy, -0.2));
  return reduceTokens(add(add(logProbs, mul(kl, reverseKl)), entropies), { responseMask });
}

function papo({ reference, ...batch }: EngineBatch): Scalar {
  const { advantages, oldLogProbs } = reference;
  return papoLoss({
    ...{ ...batch, advantages, oldLogProbs },
    ...{ perceptionKlCoef: 0.1, entropyCoef: 0.1, maskedBranch: "differentiable" },
  });
}

const LOSSES = { ownLoss, papo };

function gradients({ logits, maskedLogits }: EngineBatch): [Tensor, Tensor] {
  return [logits.grad as Tensor, maskedLogits.grad as Tensor];
}

for (const [name, lossOf] of Object.entries(LOSSES)) {
  test(`${name}: gradients lie beside the logits, and are those of the CPU`, async (t) => {
    const { host, device } = batches({ vocabSize: 33 });
    const [here, there, later] = [leaves(host), leaves(device), leaves(device)];
    const losses = [here, there, later].map(lossOf) as [Scalar, Scalar, Scalar];
    t.true(Math.abs(losses[0].item() - losses[1].item()) < 1e-5);
    backward(losses[0]);
    backward(losses[1]);
    await backwardAsync(losses[2]);
    gradients(there).forEach((gradient, i) => {
      t.is(gradient.device, DEVICE);
      const expected = valuesOf(gradients(here)[i]);
      assertClose(t, name, valuesOf(gradient), expected, TOLERANCE);
      t.deepEqual(valuesOf(gradients(later)[i]), valuesOf(gradient));
    });
  });

  test(`${name}: a second gradient is added to the first, in its memory`, (t) => {
    const { device } = batches({ vocabSize: 33 });
    const there = leaves(device);
    backward(lossOf(there));
    const [first] = gradients(there);
    const once = valuesOf(first);
    backward(lossOf(there));
    t.is(there.logits.grad, first as never);
    const twice = once.map((x) => 2 * x);
    assertClose(t, name, valuesOf(first), twice, TOLERANCE);
    backward(lossOf(there), { gradLoss: -2 });
    const nothing = new Float64Array(once.length);
    assertClose(t, name, valuesOf(first), nothing, { rtol: 0, atol: 1e-6 });
  });

  test(`${name}: a gradient of part of it, scaled, or of one tensor as both sets of logits`, (t) => {
    const { host, device } = batches({ vocabSize: 33 });
    const of = (batch: EngineBatch, both: boolean) => {
      const { logits, ...rest } = leaves(batch);
      const maskedLogits = both ? logits : batch.maskedLogits;
      backward(lossOf({ ...rest, logits, maskedLogits }), { gradLoss: 0.5 });
      t.is(batch.maskedLogits.grad, undefined);
      return valuesOf(logits.grad);
    };
    for (const both of [true, false]) {
      assertClose(t, name, of(device, both), of(host, both), TOLERANCE);
    }
  });

  test(`${name}: valueAndGrad gives gradients on the device, fresh or in memory that is given`, async (t) => {
    const { device } = batches({ vocabSize: 33 });
    const f = (logits: Logits) => lossOf({ ...device, logits: logits as EngineBatch["logits"] });
    const [value, [fresh]] = valueAndGrad(f)(device.logits);
    t.is(value.device, "cpu");
    t.is(fresh?.device, DEVICE);
    const out = zeros(device.logits.shape, { device: DEVICE });
    const [, [given]] = await valueAndGradAsync(f, { out: [out] })(device.logits);
    t.is<unknown, unknown>(given, out);
    assertClose(t, name, valuesOf(out), valuesOf(fresh), TOLERANCE);
    const wrong = [zeros(device.logits.shape)];
    t.deepEqual(await failure(() => valueAndGrad(f, { out: wrong })(device.logits)), [
      "ERR_DEVICE_MISMATCH",
      "[valueAndGrad] expected out[0] on cuda:0, received cpu",
    ]);
  });
}

test("an argument that the value does not depend on has a gradient of zeros on its device", (t) => {
  const { device } = batches({ vocabSize: 33 });
  const [, [, none]] = valueAndGrad((logits: Logits, _: Logits) =>
    ownLoss({ ...device, logits: logits as EngineBatch["logits"] }),
  )(device.logits, device.maskedLogits);
  t.is(none?.device, DEVICE);
  t.deepEqual(valuesOf(none), new Float64Array(device.logits.size));
});

test("a gradient gathers in float32 where that is there already", (t) => {
  const { host, device } = batches({ vocabSize: 33 }, "bfloat16");
  const of = (batch: EngineBatch) => {
    const leaf = leaves(batch);
    const gradient = zeros(leaf.logits.shape, { device: leaf.logits.device });
    leaf.logits.grad = gradient;
    backward(ownLoss(leaf));
    backward(papo(leaf));
    t.is<unknown, unknown>(leaf.logits.grad, gradient);
    return valuesOf(gradient);
  };
  assertClose(t, "grad", of(device), of(host), TOLERANCE);
});

test("of two gradients one may be added to and the other be fresh", (t) => {
  const { host, device } = batches({ vocabSize: 33 });
  const of = (batch: EngineBatch) => {
    const leaf = leaves(batch);
    const { shape, device } = leaf.logits;
    // Memory that was somebody else's a moment ago.
    new Tensor("test", new Float32Array(leaf.logits.size).fill(7), { shape, device }).dispose();
    leaf.logits.grad = zeros(shape, { device });
    backward(ownLoss(leaf));
    return gradients(leaf).map(valuesOf);
  };
  const [expected, actual] = [of(host), of(device)];
  actual.forEach((values, i) => {
    assertClose(t, `gradient ${i}`, values, expected[i] as Float64Array, TOLERANCE);
  });
});

onSimulation("a walk back that fails leaves no memory behind", async (t) => {
  const { device } = batches({ vocabSize: 33 });
  const there = leaves(device);
  const loss = ownLoss(there);
  await collect();
  const before = freeBytes();
  for (const [name, act] of [
    ["run", () => backward(loss)],
    ["runAsync", () => backwardAsync(loss)],
  ] as const) {
    const [code] = (await failure(() => whileFailing(name, act))) ?? [];
    t.is(code, "ERR_CUDA");
    t.is(freeBytes(), before, name);
    t.is(there.logits.grad, undefined);
  }
  backward(loss);
  t.pass("and may be tried again");
});

onSimulation(
  "a loss with its gradient on the way needs one pass, and a value alone no memory",
  async (t) => {
    const { device } = batches({ vocabSize: 33 });
    const there = leaves(device);
    const ran = await callsOf("run", () => backward(papo(there)));
    t.deepEqual(ran.map(opOf), ["papo_loss"]);
    const before = freeBytes();
    noGrad(() => papo(leaves(device)));
    t.is(freeBytes(), before);
  },
);

onSimulation(
  "gradients that nobody takes are freed with the walk back, not when they are collected",
  async (t) => {
    const { device } = batches({ vocabSize: 1031 });
    await collect();
    const before = freeBytes();
    const bytes = device.logits.size * 4;
    const there = leaves(device);
    const value = papo(there);
    t.true(freeBytes() <= before - 2 * bytes, "made with the loss");
    backward(value, { gradLoss: 2 });
    gradients(there).forEach((gradient) => {
      gradient.dispose();
    });
    t.is(freeBytes(), before);
  },
);

test("a loss on a device, or scaled by a tensor there, is refused", async (t) => {
  const value = zeros([], { dtype: "float64", device: DEVICE, requiresGrad: true });
  t.deepEqual(await failure(() => backward(value)), [
    "ERR_DEVICE_MISMATCH",
    '[backward] expected the loss in host memory (copy it there with .to("cpu")), received a tensor on cuda:0',
  ]);
  const own = scalar(1);
  own.requiresGrad = true;
  const gradLoss = scalar(2).to(DEVICE);
  t.deepEqual(await failure(() => backward(mul(own, own), { gradLoss })), [
    "ERR_DEVICE_MISMATCH",
    '[backward] expected gradLoss in host memory (copy it there with .to("cpu")), received a tensor on cuda:0',
  ]);
  t.deepEqual(await failure(() => mul(own, gradLoss)), [
    "ERR_DEVICE_MISMATCH",
    '[mul] expected operand in host memory (copy it there with .to("cpu")), received a tensor on cuda:0',
  ]);
});
