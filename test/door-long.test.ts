/** Bad input at every public door: a result, a PapoError, or what the caller's own code threw; outputs are left alone. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import * as papo from "../lib/index.js";
import * as reference from "../lib/reference/index.js";
import { CANDIDATES, type Candidate, errorOf, made, OWN } from "./support/hostile.js";

type Fields = Record<string, unknown>;
type Verb = (...args: unknown[]) => unknown;

const RUNS = 1500;

/** Checks `property` for many values; a failure prints the seed and the path to it. */
async function always<Ts extends [unknown, ...unknown[]]>(
  property: fc.IAsyncProperty<Ts>,
  numRuns = RUNS,
): Promise<void> {
  await fc.assert(property, { numRuns, includeErrorInReport: true });
}

// Any arguments at all.

for (const [door, verbs] of Object.entries({ papo, reference })) {
  for (const [name, verb] of Object.entries(verbs as unknown as Fields)) {
    // The constructors of files are private; open and create come below.
    if (typeof verb !== "function" || name.startsWith("Safetensors")) continue;
    test(`${door}.${name} takes any arguments`, async (t) => {
      const isClass = /^[A-Z]/.test(name);
      const args = fc.array(CANDIDATES, { maxLength: 4 });
      await always(
        fc.asyncProperty(args, args, async (first, more) => {
          const values = first.map(made);
          const act = () =>
            isClass ? Reflect.construct(verb, values) : Reflect.apply(verb, null, values);
          await errorOf(act, more.map(made));
        }),
      );
      t.pass();
    });
  }
}

// A valid call with one field spoiled.

const ROWS = 3;
const VOCAB = 4;
const { tensor } = papo;

function logits(): papo.Logits {
  const data = Float32Array.from({ length: ROWS * VOCAB }, (_, i) => Math.sin(i));
  return tensor(data, { shape: [ROWS, VOCAB], requiresGrad: true });
}

const numbers = (): number[] => [-1, -0.5, -2];
const UNTOUCHED = 7;
const memory = (): papo.Tensor =>
  tensor(new Float32Array(ROWS * VOCAB).fill(UNTOUCHED), { shape: [ROWS, VOCAB] });

const logitsFields = (): Fields => ({
  logits: logits(),
  maskedLogits: logits(),
  tokenIds: [0, 3, 1],
  responseMask: [1, 1, 0],
});
const rowFields = (): Fields => ({
  oldLogProbs: numbers(),
  refLogProbs: numbers(),
  advantages: [1, -1, 0.5],
});
const denominators = (): Fields => ({
  tokens: 9,
  sequences: 4,
  maxLength: 3,
  sequenceTokens: [2, 2],
  worldSize: 2,
});
const batch = (): Fields => ({ ...logitsFields(), ...rowFields(), cuSeqlens: [0, 2, 3] });
const logProbsBatch = (): Fields => ({
  ...rowFields(),
  logProbs: numbers(),
  maskedLogProbs: numbers(),
  entropy: [1, 1, 1],
  maskedEntropy: [1, 1, 1],
  kl: [0, 1, 2],
  reverseKl: [0, 1, 2],
  responseMask: [1, 1, 0],
  cuSeqlens: [0, 2, 3],
});
const evaluateOptions = (): Fields => ({
  gradients: true,
  gradDType: "float32",
  gradScale: 2,
  denominators: denominators(),
  step: 1,
  perToken: true,
  onInvalid: "error",
  plan: "auto",
});
const spec = (): Fields => ({ ...papo.SPEC_DEFAULTS, entropyCoef: 0.01, klLimit: 10 });
const papoLossOptions = (): Fields => ({ ...batch(), ...spec(), denominators: denominators() });
const referenceFields = (): Fields => ({
  ...logitsFields(),
  logits: Array.from({ length: ROWS * VOCAB }, (_, i) => Math.sin(i)),
  maskedLogits: Float64Array.from({ length: ROWS * VOCAB }, (_, i) => Math.cos(i)),
  rows: ROWS,
  vocabSize: VOCAB,
  rowPitch: VOCAB,
  temperature: 1,
});
const statistics = (): Fields => ({ logProbs: numbers(), maskedLogProbs: numbers() });
const init = (): Fields => ({
  shape: [3, 4],
  dtype: "float32",
  rowPitch: 4,
  device: "cpu",
  requiresGrad: true,
});

const CONSTANT = papo.objective("papo-g-7b").build();
const DIFFERENTIABLE = papo.objective("papo-g-7b", { form: "corrected" }).build();
const blocks = (): Fields => ({
  ...rowFields(),
  tokenIds: [0, 3, 1],
  responseMask: [1, 1, 0],
  vocabSize: VOCAB,
  shape: [ROWS],
  cuSeqlens: [0, 2, 3],
});
const begun = () => DIFFERENTIABLE.begin(blocks() as never);
const loss = (): papo.Scalar => papo.reduceTokens(papo.tokenStats(logitsFields() as never).kl);
const addUp = (verb: unknown) => (options: unknown) =>
  (verb as Verb)((x: papo.Rows) => papo.reduceTokens(x), options);

/** By name: a call of one object, and fresh fields of a valid one. */
const CALLS: Readonly<Record<string, readonly [(fields: Fields) => unknown, () => Fields]>> = {
  tensor: [(f) => papo.tensor(new Float32Array(12), f as never), init],
  "tensor of numbers": [(f) => papo.tensor(new Array(12).fill(1) as number[], f as never), init],
  zeros: [
    ({ shape, ...f }) => papo.zeros([3, 4], f as never),
    () => ({ ...init(), shape: undefined }),
  ],
  "new Tensor": [(f) => new papo.Tensor("here", new Float32Array(12), f as never), init],
  "Tensor.alias": [(f) => logits().alias(f), () => ({ requiresGrad: true })],
  backward: [(f) => papo.backward(loss(), f), () => ({ gradLoss: 2 })],
  backwardAsync: [(f) => papo.backwardAsync(loss(), f), () => ({ gradLoss: 2, signal: undefined })],
  grad: [addUp(papo.grad), () => ({ out: [tensor(new Float64Array(ROWS))] })],
  gradAsync: [addUp(papo.gradAsync), () => ({ out: [], signal: undefined })],
  coefficientAt: [
    (f) => papo.coefficientAt(f as never, 3),
    () => ({ kind: "linear", from: 1, to: 0, steps: 9 }),
  ],

  tokenStats: [
    (f) => papo.tokenStats(f as never),
    () => ({ ...logitsFields(), temperature: 1, onInvalid: "skip", gradDType: "float32" }),
  ],
  tokenStatsAsync: [
    (f) => papo.tokenStatsAsync(f as never),
    () => ({ ...logitsFields(), temperature: 1, onInvalid: "skip", signal: undefined }),
  ],
  selectiveLogSoftmax: [
    (f) => papo.selectiveLogSoftmax(f as never),
    () => ({ logits: logits(), tokenIds: [0, 3, 1], responseMask: [1, 1, 0], temperature: 1 }),
  ],
  tokenEntropy: [
    (f) => papo.tokenEntropy(f as never),
    () => ({ logits: logits(), responseMask: [1, 1, 0], temperature: 1 }),
  ],
  papoLoss: [(f) => papo.papoLoss(f as never), papoLossOptions],
  papoLossAsync: [
    (f) => papo.papoLossAsync(f as never),
    () => ({ ...papoLossOptions(), signal: undefined }),
  ],
  tokenKl: [
    (f) => papo.tokenKl(f as never),
    () => ({
      ...{ logProbs: numbers(), otherLogProbs: numbers(), oldLogProbs: numbers() },
      ...{ responseMask: [1, 1, 0], estimator: "k3", logRatioLimit: 20, klLimit: 10 },
    }),
  ],
  clippedSurrogate: [
    (f) => papo.clippedSurrogate(f as never),
    () => ({
      ...{ logProbs: numbers(), oldLogProbs: numbers(), advantages: numbers() },
      ...{ responseMask: [1, 1, 0], clipLow: 0.2, clipHigh: 0.2, clipDual: 3, logRatioLimit: 20 },
    }),
  ],
  reduceTokens: [
    (f) => papo.reduceTokens(tensor(Float64Array.from(numbers())), f as never),
    () => ({
      ...{ reduction: "token-mean", responseMask: [1, 1, 0], shape: [ROWS], cuSeqlens: [0, 2, 3] },
      ...{ denominators: denominators(), denominatorEpsilon: 0 },
    }),
  ],
  denominators: [
    (f) => DIFFERENTIABLE.evaluate(batch() as never, { denominators: f }),
    denominators,
  ],

  validateSpec: [papo.validateSpec, spec],
  warnings: [papo.warnings, spec],
  "new Objective": [(f) => new papo.Objective(f), spec],
  objective: [papo.objective, spec],
  preset: [(f) => papo.preset("grpo", f), () => ({ form: "corrected" })],
  presetValues: [(f) => papo.presetValues("grpo", f), () => ({ form: "corrected" })],
  clip: [(f) => papo.objective().clip(f), () => ({ low: 0.1, high: 0.1, dual: 3 })],
  refKl: [(f) => papo.objective().refKl(f), () => ({ coef: 1, estimator: "k3" })],
  perceptionKl: [
    (f) => papo.objective().perceptionKl(f),
    () => ({ coef: 1, estimator: "k3", exactLimit: null }),
  ],
  entropy: [
    (f) => papo.objective().entropy(f),
    () => ({ coef: 1, maskedCoef: 1, estimator: "exact" }),
  ],
  maskedBranch: [
    ({ branch }) => papo.objective().maskedBranch(branch as never),
    () => ({ branch: "constant" }),
  ],
  reduce: [
    (f) => papo.objective().reduce(f.reduction as never, f.options as never),
    () => ({ reduction: "sum", options: { entropy: "same", epsilon: 0 } }),
  ],
  temperature: [
    (f) => papo.objective().temperature(f.temperature as never),
    () => ({ temperature: 1 }),
  ],
  limits: [(f) => papo.objective().limits(f), () => ({ logRatio: 20, kl: 10, exactKl: 10 })],

  "evaluate, batch": [(f) => CONSTANT.evaluate(f as never), batch],
  "evaluate, log-probs": [(f) => CONSTANT.evaluate(f as never), logProbsBatch],
  "evaluate, options": [(f) => CONSTANT.evaluate(batch() as never, f), evaluateOptions],
  "evaluateAsync, batch": [(f) => DIFFERENTIABLE.evaluateAsync(f as never), batch],
  "evaluateAsync, options": [
    (f) => CONSTANT.evaluateAsync(batch() as never, f),
    () => ({ ...evaluateOptions(), signal: undefined }),
  ],
  "begin, batch": [(f) => CONSTANT.begin(f as never), blocks],
  "begin, options": [(f) => CONSTANT.begin(blocks() as never, f), evaluateOptions],
  addAsync: [
    (f) => begun().addAsync({ rowStart: 0, logits: logits(), maskedLogits: logits() }, f),
    () => ({ signal: undefined }),
  ],

  "reference.tokenStats": [
    (f) => reference.tokenStats(f as never),
    () => ({ ...referenceFields(), onInvalid: "error" }),
  ],
  "reference.tokenStatsGrad": [
    (f) => reference.tokenStatsGrad(f as never),
    () => ({ ...referenceFields(), gradScale: 1, cotangents: { kl: numbers() } }),
  ],
  "reference.tokenStatsGrad, cotangents": [
    (cotangents) => reference.tokenStatsGrad({ ...referenceFields(), cotangents } as never),
    () => ({ kl: numbers(), logProbs: numbers(), entropy: numbers() }),
  ],
  "reference.tokenObjective": [
    (f) => reference.tokenObjective(f as never),
    () => ({
      ...{ ...spec(), ...rowFields(), statistics: statistics(), responseMask: [1, 1, 0] },
      ...{ weights: [1, 1, 1], entropyWeights: [1, 1, 1] },
    }),
  ],
  "reference.papoLoss": [
    (f) => reference.papoLoss(f as never),
    () => ({
      ...{ ...spec(), ...rowFields(), ...referenceFields(), denominators: denominators() },
      ...{ cuSeqlens: [0, 2, 3], sequences: 1, onInvalid: "skip", gradScale: 1 },
    }),
  ],
  "reference.objectiveOfStatistics": [
    (f) => reference.objectiveOfStatistics(f as never),
    () => ({ ...spec(), ...rowFields(), statistics: statistics(), sequences: 3 }),
  ],
  "reference.objectiveOfStatistics, statistics": [
    (f) => reference.objectiveOfStatistics({ ...rowFields(), statistics: f } as never),
    () => ({ ...statistics(), entropy: numbers(), kl: numbers() }),
  ],
  "reference.rowWeights": [
    (f) => reference.rowWeights(f as never),
    () => ({
      ...{ rows: ROWS, sequences: 1, responseMask: [1, 1, 0], reduction: "seq-mean-token-mean" },
      ...{ denominators: { tokens: 3 }, denominatorEpsilon: 0 },
    }),
  ],
  "reference.rowWeights, denominators": [
    (f) =>
      reference.rowWeights({
        ...{ rows: ROWS, cuSeqlens: [0, 2, 3], reduction: "seq-mean-token-mean" },
        denominators: f,
      }),
    denominators,
  ],
  "reference.finiteDifference": [
    (f) => reference.finiteDifference((x) => x[0] as number, [1, 2, 3], f),
    () => ({ step: 1e-3, elements: [0, 2] }),
  ],
};

/** How a field is spoiled: replaced, one of its elements replaced, or behind a getter with a will of its own. */
const WAYS = ["value", "element", "getter throws", "getter changes its mind", "getter detaches"];

function detach(value: unknown): void {
  const buffer = value instanceof papo.Tensor && !value.disposed && value.data.buffer;
  if (buffer) structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
}

function spoil(fields: Fields, key: string, way: string, candidate: Candidate): void {
  const valid = fields[key];
  const wrong = made(candidate);
  const getter = (get: () => unknown) =>
    Object.defineProperty(fields, key, { get, enumerable: true });
  let calls = 0;
  if (way === "element" && Array.isArray(valid)) fields[key] = [wrong, ...valid.slice(1)];
  else if (way === "getter throws") {
    getter(() => {
      throw OWN;
    });
  } else if (way === "getter changes its mind") getter(() => (calls++ === 0 ? valid : wrong));
  else if (way === "getter detaches") {
    getter(() => {
      for (const name of Object.keys(fields)) if (name !== key) detach(fields[name]);
      return valid;
    });
  } else fields[key] = wrong;
}

for (const [name, [call, valid]] of Object.entries(CALLS)) {
  test(`${name} takes anything in any of its fields`, async (t) => {
    t.is(await errorOf(() => call(valid())), undefined, "the valid call");
    const keys = Object.keys(valid());
    const more = [logits()];
    // The reference reads its options as it goes; everybody else reads them once.
    const ways = WAYS.filter((way) => !name.startsWith("reference") || !way.endsWith("its mind"));
    await always(
      fc.asyncProperty(
        fc.constantFrom(...keys, "unknown"),
        fc.constantFrom(...ways),
        CANDIDATES,
        async (key, way, candidate) => {
          const fields = valid();
          spoil(fields, key, way, candidate);
          await errorOf(() => call(fields), more);
        },
      ),
    );
  });
}

// Memory given for gradients.

const MEMORY_CALLS: Readonly<Record<string, (batch: Fields, options: Fields) => unknown>> = {
  "evaluate of a constant branch": (f, options) => CONSTANT.evaluate(f as never, options),
  evaluate: (f, options) => DIFFERENTIABLE.evaluate(f as never, options),
  evaluateAsync: (f, options) => DIFFERENTIABLE.evaluateAsync(f as never, options),
  add: ({ logits, maskedLogits, ...f }, { gradLogits, gradMaskedLogits, ...options }) => {
    const block = { rowStart: 0, logits, maskedLogits, gradLogits, gradMaskedLogits };
    const rows = DIFFERENTIABLE.begin({ ...f, vocabSize: VOCAB } as never, options);
    return rows.add(block as never);
  },
};

for (const [name, call] of Object.entries(MEMORY_CALLS)) {
  test(`${name} leaves memory for gradients alone where it refuses its arguments`, async (t) => {
    const keys = [...Object.keys(batch()), ...Object.keys(evaluateOptions()), "gradLogits"];
    await always(
      fc.asyncProperty(
        fc.constantFrom(...keys, "gradMaskedLogits"),
        fc.constantFrom(...WAYS.slice(0, 3)),
        fc.oneof(CANDIDATES, fc.constant({ value: [0, 4, 1] })),
        async (key, way, candidate) => {
          const given = [memory(), memory()] as const;
          const [gradLogits, gradMaskedLogits] = given;
          const fields = batch();
          const options: Fields = { ...evaluateOptions(), gradLogits, gradMaskedLogits };
          spoil(key in fields ? fields : options, key, way, candidate);
          const error = await errorOf(() => call(fields, options));
          if (error === undefined || error.code === "ERR_NOT_FINITE") return;
          for (const { data } of given) {
            if (data.some((value) => value !== UNTOUCHED)) {
              throw new Error(`written to before: ${error.message}`);
            }
          }
        },
      ),
      2 * RUNS,
    );
    t.pass();
  });
}

test("a tensor whose fields were overwritten crashes nothing", async (t) => {
  const fields = ["dtype", "shape", "rows", "columns", "rowPitch", "device", "grad"];
  await always(
    fc.asyncProperty(fc.constantFrom(...fields), CANDIDATES, async (field, candidate) => {
      const given: Fields = { ...batch(), maskedLogits: undefined };
      Object.assign(given.logits as object, { [field]: made(candidate) });
      // Nobody promises a sentence for what only a cast can do.
      await Promise.resolve(given)
        .then((f) =>
          papo
            .objective()
            .build()
            .evaluateAsync(f as never),
        )
        .catch(() => undefined);
    }),
  );
  t.pass();
});

// Files.

const folder = mkdtemp(join(tmpdir(), "papo-door-"));
test.after.always(async () => rm(await folder, { recursive: true }));

test("the doors of files take anything but a path to anywhere", async (t) => {
  const path = join(await folder, "written.safetensors");
  const create =
    (...args: unknown[]) =>
    async () => {
      const writer = await (papo.SafetensorsWriter.create as Verb)(...args);
      await (writer as papo.SafetensorsWriter).abandon();
    };
  const entry = () => ({ dtype: "F32", shape: [2, 3] });
  const keys = fc.constantFrom("dtype", "shape");
  await always(
    fc.asyncProperty(CANDIDATES, keys, async (candidate, key) => {
      const value = made(candidate);
      const nowhere = typeof value === "string" ? join(path, "nowhere") : value;
      await errorOf(() => (papo.SafetensorsFile.open as Verb)(nowhere));
      await errorOf(create(nowhere, { a: entry() }));
      await errorOf(create(path, value));
      await errorOf(create(path, { a: value }));
      await errorOf(create(path, { a: { ...entry(), [key]: value } }));
      await errorOf(create(path, { a: entry() }, value));
      await errorOf(create(path, { a: entry() }, { note: value }));
    }),
  );
  const left = (await readdir(await folder)).filter((name) => name.startsWith("written"));
  t.deepEqual(left, []);
});

test("rows of files are asked for and written in any way", async (t) => {
  const path = join(await folder, "rows.safetensors");
  const entries = { a: { dtype: "F32", shape: [2, 3] } } as const;
  const writer = await papo.SafetensorsWriter.create(path, entries);
  const rows = () => ["a", 0, new Float32Array(6)];
  const place = fc.nat(3);
  await always(
    fc.asyncProperty(place, CANDIDATES, async (at, candidate) => {
      const args = rows().with(at % 3, made(candidate) as never);
      await errorOf(() => (writer.writeRows as Verb).apply(writer, args));
      await errorOf(() => (writer.write as Verb).call(writer, args[0], args[2]));
    }),
  );
  await writer.write("a", new Float32Array(6));
  await writer.finish();
  const file = await papo.SafetensorsFile.open(path);
  await always(
    fc.asyncProperty(place, CANDIDATES, async (at, candidate) => {
      const args: unknown[] = ["a", 0, 2, new Float32Array(6)].with(at, made(candidate) as never);
      await errorOf(() => (file.readRows as Verb).apply(file, args));
      await errorOf(() => (file.read as Verb).call(file, args[0], args[3]));
      await errorOf(() => (file.info as Verb).call(file, args[0]));
    }),
  );
  await file.close();
  t.pass();
});
