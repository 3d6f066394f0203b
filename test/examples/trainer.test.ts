/**
 * The trainer: reproducible and resumable to the bit, civil when interrupted, and honest about what it was told.
 * One run after the other: they share a backend, whose tensors are counted.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import test from "ava";
import { readTensors, readValue, writeTensors } from "../../examples/trainer/checkpoint.js";
import { type ConfigChanges, checkConfig } from "../../examples/trainer/config.js";
import {
  configWith,
  type DEFAULT_CONFIG,
  type RunResult,
  type StepRecord,
  train,
} from "../../examples/trainer/index.js";
import { ROOT } from "../structure/files.js";
import { assertClose } from "../support/close.js";

const folder = mkdtempSync(join(tmpdir(), "papo-trainer-"));
const coldStartCache = join(folder, "cold-starts");
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const TINY = configWith({
  policy: { width: 16, layers: 1, heads: 2 },
  batches: 4,
  prompts: 4,
  group: 4,
  coldStart: { steps: 20, examples: 16, learningRate: { peak: 0.01, warmUp: 0, final: 1 } },
  evaluation: { every: 2, problems: 8, samples: 2 },
});
const tiny = (changes: ConfigChanges = {}) => configWith(changes, TINY);

async function finished(...[config, hooks]: Parameters<typeof train>): Promise<RunResult> {
  const result = await train(config, { coldStartCache, ...hooks });
  if (result === undefined) throw new Error("the run was aborted");
  return result;
}

/** What the seed decides of a result: all but times. */
function decided({ date: _, seconds: __, time: ___, ...result }: RunResult): unknown {
  return { ...result, steps: { ...result.steps, lossMs: null } };
}

test.serial("the same config gives the same run to the bit, another seed another", async (t) => {
  const run = await finished(tiny());
  t.deepEqual(decided(await finished(tiny())), decided(run));
  t.is(run.steps.reward.length, 4);
  t.deepEqual(
    run.evaluations.map(({ batch }) => batch),
    [2, 4],
  );
  const other = await finished(tiny({ seed: 2 }));
  t.notDeepEqual(other.steps.gradNorm, run.steps.gradNorm);
});

test.serial("a run that was aborted and resumed is the one without a break", async (t) => {
  const [whole, broken] = [join(folder, "whole"), join(folder, "broken")];
  const config = tiny({ dynamicSampling: true });
  const run = await finished(config, { checkpoint: whole });
  const controller = new AbortController();
  const batches: number[] = [];
  const onBatch = (batch: number) => {
    batches.push(batch);
    if (batch === 2) controller.abort();
  };
  const hooks = { coldStartCache, checkpoint: broken, onBatch };
  t.is(await train(config, { ...hooks, signal: controller.signal }), undefined);
  const resumed = await finished(config, hooks);
  t.deepEqual(batches, [1, 2, 3, 4]);
  t.deepEqual(decided(resumed), decided(run));
  t.deepEqual(await readTensors(broken), await readTensors(whole));
  const monitorOf = async (path: string) =>
    ((await readValue(path, "state")) as { monitor: unknown }).monitor;
  t.deepEqual(await monitorOf(broken), await monitorOf(whole));
});

test.serial(
  "a run that backs off writes down γ in force, and its state is in the checkpoint",
  async (t) => {
    // γ as if there had been alarms before: after half of it, what calm gives back is a little more each time.
    const [whole, broken] = [join(folder, "whole-backoff"), join(folder, "broken-backoff")];
    const objective = {
      changes: { perceptionKlCoef: 0 },
      later: { batch: 2, coefficients: { perceptionKl: 0.08 } },
      backoff: true,
    } as const;
    const config = tiny({ objective });
    const halved = async (checkpoint: string, hooks: Parameters<typeof train>[1] = {}) => {
      await t.throwsAsync(
        train(config, {
          coldStartCache,
          checkpoint,
          every: 1,
          onBatch: (batch) => {
            if (batch === 2) throw new Error("enough");
          },
        }),
        { message: "enough" },
      );
      const { weights, reference, first, second } = await readTensors(checkpoint);
      const values: Record<string, unknown> = {};
      for (const name of ["version", "config", "updates", "state"]) {
        values[name] = await readValue(checkpoint, name);
      }
      const state = values.state as { backoff: { share: number } };
      t.is(state.backoff.share, 1);
      state.backoff.share = 0.5;
      if (!weights || !reference || !first || !second) throw new Error("no vectors");
      await writeTensors(checkpoint, { weights, reference, first, second }, values);
      return train(config, { coldStartCache, checkpoint, ...hooks });
    };
    const run = await halved(whole);
    const controller = new AbortController();
    const stopped = await halved(broken, {
      onBatch: (batch) => batch === 3 && controller.abort(),
      signal: controller.signal,
    });
    t.is(stopped, undefined);
    const resumed = await finished(config, { checkpoint: broken });
    const grown = 0.04 * 2 ** (1 / 100);
    assertClose(
      t,
      "γ",
      (resumed.steps.perceptionKlCoef ?? []).map(Number),
      [0, 0.04, grown, grown ** 2 / 0.04],
      {
        rtol: 1e-6,
        atol: 0,
      },
    );
    t.deepEqual(decided(resumed), run && decided(run));
    const backoffOf = async (path: string) =>
      ((await readValue(path, "state")) as { backoff: unknown }).backoff;
    t.deepEqual(await backoffOf(broken), await backoffOf(whole));
    t.deepEqual(await readTensors(broken), await readTensors(whole));
    t.false("perceptionKlCoef" in (await finished(tiny({ batches: 1 }))).steps);
  },
);

test.serial(
  "a run that died goes on from its last checkpoint; a finished one gives its result again",
  async (t) => {
    const checkpoint = join(folder, "died");
    const run = await finished(tiny());
    const onBatch = (batch: number) => {
      if (batch === 3) throw new Error("lights out");
    };
    const hooks = { coldStartCache, checkpoint, every: 2 };
    await t.throwsAsync(train(tiny(), { ...hooks, onBatch }), { message: "lights out" });
    const again: number[] = [];
    const resumed = await finished(tiny(), { ...hooks, onBatch: (batch) => again.push(batch) });
    t.deepEqual(again, [3, 4]);
    t.deepEqual(decided(resumed), decided(run));
    const onceMore = await finished(tiny(), { ...hooks, onBatch: () => t.fail("trained again") });
    t.deepEqual(decided(onceMore), decided(run));
  },
);

test.serial("an abort during the cold start keeps nothing", async (t) => {
  const [cache, checkpoint] = [join(folder, "no-cache"), join(folder, "no-checkpoint")];
  const controller = new AbortController();
  const steps: number[] = [];
  const onColdStart = (step: number) => {
    steps.push(step);
    controller.abort();
  };
  const hooks = { coldStartCache: cache, checkpoint, signal: controller.signal, onColdStart };
  t.is(await train(tiny(), hooks), undefined);
  t.deepEqual(steps, [1]);
  t.false(readdirSync(folder).some((name) => name.startsWith("no-")));
});

test.serial(
  "a cold start from the cache is the one that was trained, and belongs to one seed and one start",
  async (t) => {
    const cache = join(folder, "own-cache");
    const config = tiny({ batches: 1 });
    const trained = await finished(config, { coldStartCache: undefined });
    for (const each of [config, config, tiny({ batches: 0, seed: 2 })]) {
      await finished(each, { coldStartCache: cache });
    }
    const onColdStart = () => t.fail("trained again");
    const kept = await finished(config, { coldStartCache: cache, onColdStart });
    t.deepEqual(decided(kept), decided(trained));
    await finished(tiny({ batches: 0, coldStart: { steps: 3 } }), { coldStartCache: cache });
    t.is(readdirSync(cache).length, 3);
  },
);

test.serial("a checkpoint of another run is refused by the fields that differ", async (t) => {
  const checkpoint = join(folder, "refused");
  await finished(tiny({ batches: 0 }), { checkpoint });
  const other = tiny({ batches: 0, learningRate: { peak: 1e-4 }, mask: { ratio: 0.8 } });
  await t.throwsAsync(train(other, { checkpoint }), {
    message: /checkpoint of another run: it differs in learningRate,mask$/,
  });
});

test.serial("a process killed while it writes a checkpoint leaves a complete one", async (t) => {
  const path = join(folder, "killed");
  const code = `
    import { writeTensors } from "${ROOT}examples/trainer/checkpoint.ts";
    for (let count = 1; ; count++) {
      await writeTensors("${path}", { weights: new Float32Array(4e6).fill(count) }, { count });
      console.log(count);
    }`;
  const options = ["--import=tsx", "--input-type=module", "-e", code];
  const child = spawn(process.execPath, options, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = 0;
  for await (const text of child.stdout) {
    said = Number(String(text).trim().split("\n").at(-1));
    if (said >= 2) break;
  }
  // Not before the next one is under way beside it.
  const deadline = performance.now() + 2000;
  const isWriting = () =>
    readdirSync(folder).some((name) => name.startsWith("killed.") && name.endsWith(".tmp"));
  while (!isWriting() && performance.now() < deadline) await new Promise(setImmediate);
  const left = once(child, "exit");
  child.kill("SIGKILL");
  await left;
  const count = await readValue(path, "count");
  t.true(Number(count) >= said);
  const { weights } = await readTensors(path);
  t.true(weights?.length === 4e6 && weights.every((weight) => weight === count));
});

test.serial("no tensor is left behind by a batch, an evaluation or a run", async (t) => {
  const before = tf.memory().numTensors;
  const seen: number[] = [];
  const config = tiny({
    batches: 50,
    prompts: 2,
    group: 2,
    dynamicSampling: true,
    evaluation: { every: 5 },
  });
  await finished(config, { onBatch: () => seen.push(tf.memory().numTensors) });
  t.is(seen[49], seen[4]);
  t.is(tf.memory().numTensors, before);
});

test.serial("each kind of objective trains, and measures what it looks at", async (t) => {
  const stepOf = async (objective: Partial<typeof DEFAULT_CONFIG.objective>) => {
    const config = tiny({ batches: 1, objective: { changes: {}, ...objective } });
    const records: StepRecord[] = [];
    await finished(config, { onBatch: (_, record) => records.push(record) });
    return records[0] as StepRecord;
  };
  const grpo = await stepOf({ preset: "grpo" });
  t.is(grpo.kl, null);
  t.is(grpo.maskedEntropy, null);
  t.not(grpo.refKl, null);
  const dapo = await stepOf({ preset: "dapo" });
  t.is(dapo.refKl, null);
  const authors = await stepOf({ preset: "papo-g-7b", form: "authors" });
  t.true((authors.perceptionKl ?? 0) > 0);
  const constant = await stepOf({ changes: { maskedBranch: "constant" } });
  const corrected = await stepOf({});
  t.true((corrected.kl ?? 0) > 0);
  // What is seen is the same, what is learnt from it is not.
  t.is(constant.reward, corrected.reward);
  t.not(constant.gradNorm, corrected.gradNorm);
});

test.serial("coefficients of later hold from their batch on", async (t) => {
  const gradNorms = async (later: typeof DEFAULT_CONFIG.objective.later) =>
    (await finished(tiny({ objective: { later } }))).steps.gradNorm;
  const plain = await gradNorms(null);
  const changed = await gradNorms({ batch: 3, coefficients: { perceptionKl: 5 } });
  t.deepEqual(changed.slice(0, 2), plain.slice(0, 2));
  t.true((changed[2] ?? 0) > (plain[2] ?? 0));
});

test.serial("rewards and shares stay between 0 and 1", async (t) => {
  const { steps, evaluations, coldStart } = await finished(tiny({ dynamicSampling: true }));
  const shares = [
    ...[steps.reward, steps.accuracy, steps.format, steps.mixedGroups, steps.clipFraction].flat(),
    ...[coldStart, ...evaluations].flatMap(
      ({ accuracy, reward, format, thought, masked, errors }) => [
        ...[accuracy, reward, format, thought, masked.accuracy],
        ...Object.values(errors),
      ],
    ),
  ];
  for (const share of shares) t.true(share !== null && share >= 0 && share <= 1, String(share));
  const { perception, reasoning, format } = coldStart.errors;
  t.true(Math.abs(perception + reasoning + format - 1) < 1e-12);
});

const WRONG: readonly [change: object, message: RegExp][] = [
  [{ batchs: 3 }, /config has no field "batchs"; its fields are seed, policy, batches/],
  [{ coldStart: { step: 3 } }, /coldStart has no field "step"; its fields are steps, examples/],
  [{ batches: -1 }, /expected batches to be a whole number from 0 up, received -1/],
  [
    { learningRate: { peak: Number.NaN } },
    /expected learningRate.peak to be a number above 0, received null/,
  ],
  [{ group: 1 }, /expected group to be a whole number from 2 up, received 1/],
  [{ minibatches: 5 }, /expected minibatches to be at most as many as prompts \(4\), received 5/],
  [{ policy: { heads: 3 } }, /expected policy.width to be a multiple of heads \(3\), received 16/],
  [{ dynamicSampling: "yes" }, /expected dynamicSampling to be true or false, received "yes"/],
  [{ mask: { strategy: "semantic" } }, /expected mask.strategy to be random,saliency/],
  [{ mask: { ratio: 1.5 } }, /expected mask.ratio to be a number from 0 to 1, received 1.5/],
  [{ mask: null }, /expected mask to be an object, received null/],
  [{ objective: { preset: "papo-g" } }, /did you mean "papo-g-7b"/],
  [{ objective: { form: "fixed" } }, /expected form to be "authors" or "corrected"/],
  [{ objective: { changes: { gamma: 0.1 } } }, /did you mean perceptionKlCoef/],
  [{ objective: { changes: { temperature: 2 } } }, /temperature to be 1, at which/],
  [
    { objective: { later: { batch: 3, coefficients: { gamma: 1 } } } },
    /objective.later.coefficients has no field "gamma"; its fields are refKl, perceptionKl,/,
  ],
  [
    { objective: { backoff: false } },
    /expected objective.backoff to be true or left out, received false/,
  ],
  [{ objective: { later: { batch: 3 } } }, /expected objective.later.coefficients to be an object/],
];

for (const [change, message] of WRONG) {
  test(`a config with ${JSON.stringify(change)} is refused, saying why`, async (t) => {
    t.throws(() => tiny(change as ConfigChanges), { message });
  });
}

test.serial("a config is refused by train as well, and a missing field is named", async (t) => {
  const { seed: _, ...missing } = TINY;
  const message = "expected seed to be a whole number from 0 up, received nothing";
  t.throws(() => checkConfig(missing), { message });
  await t.throwsAsync(train(missing as typeof TINY), { message });
});
