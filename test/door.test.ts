/** Bad input at every public door: a result, a PapoError, or what the caller's own code threw; outputs are left alone. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import * as papo from "../lib/index.js";
import * as reference from "../lib/reference/index.js";
import * as rewards from "../lib/rewards/index.js";
import { CANDIDATES, errorOf, made } from "./support/hostile.js";
import { revoked } from "./support/proxies.js";
import { spoil, WAYS } from "./support/spoil.js";
import {
  batch,
  CALLS,
  CONSTANT,
  DEVICE_CALLS,
  DIFFERENTIABLE,
  evaluateOptions,
  type Fields,
  logits,
  memory,
  type Verb,
  VOCAB,
} from "./support/valid-calls.js";

const RUNS = 250;

/** Checks `property` for many values; a failure prints the seed and the path to it. */
async function always<Ts extends [unknown, ...unknown[]]>(
  property: fc.IAsyncProperty<Ts>,
  numRuns = RUNS,
): Promise<void> {
  await fc.assert(property, { numRuns, includeErrorInReport: true });
}

// Sentences: who was called, what was expected, what came.

const SENTENCES: readonly (readonly [act: () => unknown, message: string])[] = [
  [
    () => call(papo.tokenStatsAsync),
    "[tokenStatsAsync] expected options to be an object, received undefined",
  ],
  [
    () => call(papo.papoLossAsync, null),
    "[papoLossAsync] expected options to be an object, received null",
  ],
  [
    () => call(papo.tensor, [1], { shap: [1] }),
    '[tensor] expected options to hold only shape, dtype, rowPitch, device, requiresGrad, received "shap"',
  ],
  [
    () => call(papo.zeros, [2], { dtype: "float8" }),
    '[zeros] expected dtype to be one of float32, float16, bfloat16, float64, int32, received "float8"',
  ],
  [
    () => call(papo.zeros, [2n]),
    "[zeros] expected shape[0] to be a non-negative integer, received 2n",
  ],
  [
    () => call(papo.toBfloat16, [1, "2"]),
    '[toBfloat16] expected values[1] to be a number, received "2"',
  ],
  [
    () => call(papo.fromBfloat16, new Float32Array(2)),
    "[fromBfloat16] expected data to be a Uint16Array, received Float32Array of 2 elements",
  ],
  [
    () => call(papo.detach, new Proxy(logits(), {})),
    "[detach] expected a Tensor, received a proxy",
  ],
  [() => call(papo.noGrad), "[noGrad] expected f to be a function, received undefined"],
  [
    () => call(papo.grad, () => 1, { out: 3 }),
    "[grad] expected out to be an array of Tensors, received 3",
  ],
  [() => call(papo.clamp, 1, "0", 2), '[clamp] expected low to be a number, received "0"'],
  [
    () => call(papo.where, ["no"], 1, 2),
    '[where] expected condition[0] to be a number or a boolean, received "no"',
  ],
  [
    () => call(papo.reduceTokens, logits()),
    "[reduceTokens] expected values to be float64 [rows], received float32 [3, 4]",
  ],
  [
    () => call(papo.coefficientAt, { kind: "linear", from: 0, to: 1, steps: 2 }),
    "[coefficientAt] expected step to be a number from 0 up, received undefined",
  ],
  [
    () => call(papo.detach, disposed()),
    "[detach] expected the tensor to be alive, received a disposed tensor",
  ],
  [
    () => logits().sliceRows("0" as never, 2),
    '[Tensor.sliceRows] expected start to end within rows 0 to 3, received "0" to 2',
  ],
  [
    () => papo.grad(() => papo.scalar(1), { out: new Array(2 ** 32 - 1) }),
    "[grad] expected out for at most 65536 arguments, received an array of 4294967295",
  ],
  [
    () => papo.objective({ rolloutCorrection: { reject: new Array(2 ** 32 - 1) } } as never),
    "[objective] expected rolloutCorrection.reject to hold at most 1024 rules, received an array of 4294967295",
  ],
  [
    () =>
      call(
        papo.grad(() => papo.scalar(1)),
        papo.tensor(Int32Array.of(1)),
      ),
    "[grad] expected argument 0 to be a Tensor of floating-point numbers, received int32",
  ],
  [
    () =>
      call(
        papo.grad(() => papo.scalar(1)),
        disposed(),
      ),
    "[grad] expected argument 0 to be alive, received a disposed tensor",
  ],
  [
    () => call(papo.warnings),
    "[warnings] expected an objective to be a plain object, received undefined",
  ],
  [() => call(papo.parseSpec, {}), "[objective] expected JSON text, received an object"],
  [
    () => call(papo.papoLoss, { ...batch(), clipLow: true }),
    "[papoLoss] expected clipLow to be a number, received true",
  ],
  [
    () => CONSTANT.evaluate({ ...batch(), tokenIds: ["0", 1, 2] } as never),
    '[Objective.evaluate] expected tokenIds[0] to be an integer of 32 bits, received "0"',
  ],
  [
    () => CONSTANT.evaluate({ ...batch(), cuSeqlens: [0n, 3n] } as never),
    "[Objective.evaluate] expected cuSeqlens[0] to be a number, received 0n",
  ],
  [
    () => CONSTANT.evaluateAsync(batch() as never, { signal: 3 as never }),
    "[Objective.evaluateAsync] expected signal to be an AbortSignal, received 3",
  ],
  [
    () => {
      const signal = Object.create(AbortSignal.prototype) as AbortSignal;
      return CONSTANT.evaluateAsync(batch() as never, { signal });
    },
    "[Objective.evaluateAsync] expected signal to be an AbortSignal, received an object",
  ],
  [
    () => {
      const signal = revoked(new AbortController().signal) as AbortSignal;
      return CONSTANT.evaluateAsync(batch() as never, { signal });
    },
    "[Objective.evaluateAsync] expected signal to be an AbortSignal, received a proxy",
  ],
  [
    () => CONSTANT.begin({ tokenIds: [], advantages: [], vocabSize: 4, shape: [1e9, 0] }),
    "[Objective.begin] expected at most 1048576 sequences without tokens, received [1000000000, 0]",
  ],
  [
    () => call(papo.SafetensorsFile.open, 3),
    "[safetensors] expected path to be a string, received 3",
  ],
  [
    () => call(papo.SafetensorsWriter.create, "x", { a: { dtype: "F32", shape: [1n] } }),
    '[safetensors] expected the shape of "a" to be non-negative integers, received 1n at 0',
  ],
  [
    () => call(reference.tokenStats),
    "[reference.tokenStats] expected options to be an object, received undefined",
  ],
  [
    () => call(reference.rowWeights, { rows: 1, reduction: "mean" }),
    '[reference.rowWeights] expected reduction to be one of token-mean, seq-mean-token-mean, seq-mean-token-sum, seq-mean-token-sum-norm, sum, received "mean"',
  ],
  [
    () => call(reference.finiteDifference, () => "1", [0]),
    '[reference.finiteDifference] expected f to return a number, received "1"',
  ],
];

function disposed(): papo.Tensor {
  const gone = logits();
  gone.dispose();
  return gone;
}

function call(verb: unknown, ...args: unknown[]): unknown {
  return (verb as Verb)(...args);
}

test("bad input is told apart in a sentence", async (t) => {
  for (const [act, message] of SENTENCES) t.is((await errorOf(act))?.message, message);
});

// Any arguments at all.

for (const [door, verbs] of Object.entries({
  papo,
  "papo.cuda": papo.cuda,
  reference,
  rewards,
})) {
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

const unavailable = papo.cuda.devices().length === 0 ? "ERR_DEVICE_UNAVAILABLE" : undefined;

for (const [name, [call, valid]] of Object.entries({ ...CALLS, ...DEVICE_CALLS })) {
  test(`${name} takes anything in any of its fields`, async (t) => {
    const code = name in DEVICE_CALLS ? unavailable : undefined;
    t.is((await errorOf(() => call(valid())))?.code, code, "the valid call");
    const keys = Object.keys(valid());
    const more = [logits()];
    await always(
      fc.asyncProperty(
        fc.constantFrom(...keys, "unknown"),
        fc.constantFrom(...WAYS),
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

const UNTOUCHED = 7;

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
        fc.constantFrom(...WAYS),
        fc.oneof(CANDIDATES, fc.constant({ value: [0, 4, 1] })),
        async (key, way, candidate) => {
          const given = [memory(UNTOUCHED), memory(UNTOUCHED)] as const;
          const [gradLogits, gradMaskedLogits] = given;
          const fields = batch();
          const options: Fields = { ...evaluateOptions(), gradLogits, gradMaskedLogits };
          spoil(key in fields ? fields : options, key, way, candidate);
          const error = await errorOf(() => call(fields, options));
          if (error === undefined || error.code === "ERR_NOT_FINITE") return;
          const written = given.some(
            (out) => !out.disposed && out.data.some((value) => value !== UNTOUCHED),
          );
          if (written) throw new Error("memory was written to", { cause: error });
        },
      ),
      2 * RUNS,
    );
    t.pass();
  });
}

test("the facts of a tensor are not to be overwritten, and what is left to callers is checked", async (t) => {
  for (const fact of ["dtype", "shape", "rows", "columns", "rowPitch", "device"]) {
    t.throws(() => Object.assign(logits(), { [fact]: 9 }), { instanceOf: TypeError }, fact);
  }
  await always(
    fc.asyncProperty(
      fc.constantFrom("grad", "requiresGrad"),
      CANDIDATES,
      async (field, candidate) => {
        const leaf = Object.assign(logits(), { [field]: made(candidate) });
        await errorOf(() => papo.backward(papo.reduceTokens(papo.tokenEntropy({ logits: leaf }))));
      },
    ),
  );
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
