/** Every surrogate of the table through the objective: one value and one gradient, whichever way a batch comes. */
import test, { type ExecutionContext } from "ava";
import {
  type Evaluation,
  type LogitsBatch,
  Objective,
  type ObjectiveSpecInput,
  tensor,
} from "../../lib/index.js";
import { finiteDifference, tokenStats, tokenStatsGrad } from "../../lib/reference/index.js";
import { SURROGATES } from "../../lib/surrogates/table.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, packed, takeSequences, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 31, sequences: 5, tokens: 6, vocabSize: 11 });
const SHAPE = [BATCH.sequences, BATCH.tokens];
const COUNTED = BATCH.responseMask.reduce((sum, bit) => sum + bit, 0);
const ROLLOUT = BATCH.oldLogProbs.map((x, row) => x + 0.2 * Math.sin(row));
const SEED = 7;

/** Whose gradient is not the slope of their value: constants in the formula hold it back. */
const STRAIGHT_THROUGH = new Set([
  "cispo",
  "cispo-two-sided",
  "vespo",
  "gspo-token",
  "clip-cov",
  "kl-cov",
]);

const TERMS: ObjectiveSpecInput = {
  refKlCoef: 0.05,
  perceptionKlCoef: 0.02,
  entropyCoef: 0.03,
  maskedEntropyCoef: 0.04,
  maskedBranch: "differentiable",
};

/** Surrogates alone and among the perception terms. */
const CASES = SURROGATES.filter(({ kind }) => kind !== "ppo-clip").flatMap((definition) => [
  { definition, title: definition.kind, spec: { surrogate: definition.kind } },
  {
    definition,
    title: `${definition.kind} among the terms of PAPO`,
    spec: {
      ...TERMS,
      surrogate: definition.kind,
      reduction: "seq-mean-token-mean",
      clipHigh: 0.28,
    } satisfies ObjectiveSpecInput,
  },
]);

function batchOf(): LogitsBatch {
  return { ...logitsBatch(BATCH), rolloutLogProbs: ROLLOUT };
}

function same(t: ExecutionContext, title: string, actual: Evaluation, expected: Evaluation): void {
  t.is(actual.loss, expected.loss, title);
  t.deepEqual(actual.terms, expected.terms, title);
  t.deepEqual(actual.metrics, expected.metrics, title);
  const gradients = gradientsOf(expected);
  for (const [name, values] of Object.entries(gradientsOf(actual))) {
    assertClose(t, `${title} ${name}`, values, gradients[name] as Float64Array, TOLERANCES.exact);
  }
}

for (const { definition, title, spec } of CASES) {
  const objective = new Objective(spec);
  const options = { seed: SEED, perToken: true };

  test(`${title}: synchronous, asynchronous and as one block`, async (t) => {
    const evaluation = objective.evaluate(batchOf(), options);
    same(t, "async", await objective.evaluateAsync(batchOf(), options), evaluation);
    same(t, "in place", objective.evaluate(batchOf(), { ...options, inPlace: true }), evaluation);
    const { logits, maskedLogits, ...rows } = batchOf();
    const vocabSize = BATCH.vocabSize;
    const blocks = objective.begin({ ...rows, shape: SHAPE, vocabSize }, options);
    const gradients = blocks.add({ rowStart: 0, logits, maskedLogits });
    same(t, "one block", { ...blocks.finish(), ...gradients }, evaluation);
  });

  test(`${title}: log-probs give what logits give, and their gradients lead to those of the logits`, (t) => {
    const fromLogits = objective.evaluate(batchOf(), options);
    const { logProbs, maskedLogProbs } = fromLogits.tokens ?? t.fail();
    const { oldLogProbs, refLogProbs, advantages, responseMask } = BATCH;
    const rest = { oldLogProbs, refLogProbs, advantages, responseMask, rolloutLogProbs: ROLLOUT };
    const batch = { ...rest, logProbs, maskedLogProbs };
    const fromLogProbs = objective.evaluate(batch as never, options);
    t.is(fromLogProbs.loss, fromLogits.loss);
    t.deepEqual(fromLogProbs.terms, fromLogits.terms);
    const cotangents = {
      logProbs: valuesOf(fromLogProbs.gradLogProbs),
      ...(fromLogProbs.gradMaskedLogProbs
        ? { maskedLogProbs: valuesOf(fromLogProbs.gradMaskedLogProbs) }
        : {}),
    };
    const through = tokenStatsGrad({ ...BATCH, cotangents } as never);
    for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
      const given = fromLogits[name];
      if (given === undefined) continue;
      const expected = through[name] as Float64Array;
      assertClose(t, name, valuesOf(given), expected, GRADIENT_TOLERANCES.float32);
    }
  });

  if (!STRAIGHT_THROUGH.has(definition.kind)) {
    test(`${title}: the gradient is the slope of the loss`, (t) => {
      const { logProbs } = objective.evaluate(batchOf(), options).tokens ?? t.fail();
      const masked = BATCH.refLogProbs.map((x, row) => x - 0.4 * Math.cos(row));
      const { refLogProbs, advantages, responseMask } = BATCH;
      // The old policy is near enough for most ratios to lie between the bounds.
      const oldLogProbs = valuesOf(logProbs).map((x, row) => x + 0.15 * Math.sin(3 * row));
      const evaluate = (at: Float64Array) =>
        objective.evaluate(
          {
            logProbs: tensor(at.slice(), { shape: SHAPE }) as never,
            maskedLogProbs: masked,
            rolloutLogProbs: oldLogProbs,
            oldLogProbs,
            refLogProbs,
            advantages,
            responseMask,
          },
          options,
        );
      const at = valuesOf(logProbs);
      const slope = finiteDifference((x) => evaluate(x).loss, at, { step: 1e-4 });
      const gradient = valuesOf(evaluate(at).gradLogProbs);
      assertClose(t, "gradLogProbs", gradient, slope, TOLERANCES.finiteDifference);
    });
  }

  if (!STRAIGHT_THROUGH.has(definition.kind)) {
    test(`${title}: the gradient in the logits is the slope of the loss`, (t) => {
      const { oldLogProbs, refLogProbs, advantages, responseMask, rowPitch } = BATCH;
      const rest = { oldLogProbs, refLogProbs, advantages, responseMask, rolloutLogProbs: ROLLOUT };
      const loss = (logits: Float64Array) => {
        const { logProbs, maskedLogProbs } = tokenStats({ ...BATCH, logits } as never);
        const rows = (values: ArrayLike<number>) =>
          tensor(Float64Array.from(values), { shape: SHAPE }) as never;
        const batch = { logProbs: rows(logProbs), maskedLogProbs: rows(maskedLogProbs ?? []) };
        return objective.evaluate({ ...rest, ...batch }, options).loss;
      };
      // The sampled tokens, and one column beside them.
      const elements = [...BATCH.tokenIds.keys()].flatMap((row) => [
        row * rowPitch + (BATCH.tokenIds[row] as number),
        row * rowPitch + (((BATCH.tokenIds[row] as number) + 1) % BATCH.vocabSize),
      ]);
      const at = Float64Array.from(BATCH.logits);
      const slope = finiteDifference(loss, at, { step: 1e-4, elements });
      const gradient = valuesOf(objective.evaluate(batchOf(), options).gradLogits);
      assertClose(t, "gradLogits", gradient, slope, GRADIENT_TOLERANCES.float32, { elements });
    });
  }

  if (definition.scope !== "batch") {
    test(`${title}: cut into batches, packed or on two workers it is the same`, (t) => {
      const whole = objective.evaluate(batchOf(), options);
      const denominators = { tokens: COUNTED, sequences: BATCH.sequences };
      const take = (sequences: readonly number[]) => {
        const rolloutLogProbs = sequences.flatMap((s) => [
          ...ROLLOUT.slice(s * BATCH.tokens, (s + 1) * BATCH.tokens),
        ]);
        return { ...takeSequences(BATCH, sequences), rolloutLogProbs };
      };
      const cut = (parts: readonly (readonly number[])[], worldSize: number) => {
        const evaluations = parts.map((sequences) =>
          objective.evaluate(take(sequences), {
            ...options,
            denominators: { ...denominators, worldSize },
          }),
        );
        const loss = evaluations.reduce((sum, part) => sum + part.loss, 0) / worldSize;
        assertClose(t, "loss", loss, whole.loss, TOLERANCES.engineRows);
        const gradient = evaluations.flatMap((part) => [...valuesOf(part.gradLogits)]);
        const scaled = gradient.map((x) => x / worldSize);
        const expected = valuesOf(whole.gradLogits);
        assertClose(t, "gradLogits", scaled, expected, GRADIENT_TOLERANCES.float32);
      };
      cut([[0], [1, 2], [3, 4]], 1);
      cut(
        [
          [0, 1],
          [2, 3, 4],
        ],
        2,
      );
      const { batch, rows } = packed(BATCH);
      const rolloutLogProbs = rows.map((row) => ROLLOUT[row] as number);
      const dense = objective.evaluate({ ...batch, rolloutLogProbs }, options);
      assertClose(t, "packed", dense.loss, whole.loss, TOLERANCES.engineRows);
    });
  }

  test(`${title}: blocks of rows give the value, and the gradient where a token is on its own`, (t) => {
    const evaluation = objective.evaluate(batchOf(), options);
    const { logits, maskedLogits, ...rows } = batchOf();
    const batch = { ...rows, shape: SHAPE, vocabSize: BATCH.vocabSize };
    const halves = [
      [0, 13],
      [13, BATCH.rows],
    ] as const;
    const block = ([start, end]: readonly [number, number]) => ({
      rowStart: start,
      logits: logits.sliceRows(start, end) as never,
      maskedLogits: maskedLogits?.sliceRows(start, end) as never,
    });
    const forward = objective.begin(batch, { ...options, gradients: false });
    for (const half of halves) forward.add(block(half));
    t.is(forward.finish().loss, evaluation.loss);
    const backward = objective.begin(batch, options);
    if (definition.scope === "token") {
      const gradients = halves.map((half) => [...valuesOf(backward.add(block(half)).gradLogits)]);
      t.deepEqual(Float64Array.from(gradients.flat()), valuesOf(evaluation.gradLogits));
      t.is(backward.finish().loss, evaluation.loss);
    } else {
      t.throws(() => backward.add(block(halves[0])), {
        code: "ERR_UNSUPPORTED",
        message: new RegExp(`all rows in one block with surrogate "${definition.kind}"`),
      });
    }
  });

  test(`${title}: no counted token, and ratios beyond every limit, give finite numbers`, (t) => {
    const none = objective.evaluate(
      { ...batchOf(), responseMask: new Int32Array(BATCH.rows) },
      options,
    );
    t.is(none.loss, 0);
    t.true(valuesOf(none.gradLogits).every((x) => x === 0));
    for (const [old, advantage] of [
      [-900, 1],
      [-900, -1],
      [900, 1],
      [900, -1],
    ] as const) {
      const far = {
        ...batchOf(),
        oldLogProbs: BATCH.oldLogProbs.map(() => old),
        advantages: BATCH.advantages.map(() => advantage),
      };
      const { loss, gradLogits } = objective.evaluate(far, options);
      t.true(Number.isFinite(loss));
      t.true(valuesOf(gradLogits).every((x) => Number.isFinite(x)));
    }
  });
}

test("what one op cannot compute is refused where the fused plan is asked for, and says why", (t) => {
  const objective = new Objective({ surrogate: "reinforce" });
  t.throws(() => objective.evaluate(batchOf(), { plan: "fused" }), {
    code: "ERR_UNSUPPORTED",
    message:
      '[Objective.evaluate] expected plan "composed" with surrogate "reinforce", received "fused"',
  });
  t.notThrows(() => objective.evaluate(batchOf(), { plan: "composed" }));
});

test("a surrogate is named in a word or with its parameters, and read strictly", (t) => {
  const { spec } = new Objective({ surrogate: "reinforce" });
  t.deepEqual(spec.surrogate, { kind: "reinforce" });
  t.true(Object.isFrozen(spec.surrogate));
  t.deepEqual(new Objective(JSON.parse(JSON.stringify(spec))).spec, spec);
  const refused: [unknown, RegExp][] = [
    ["ppo", /did you mean "ppo-clip"\?/],
    ["dapo", /did you mean "ppo-clip"\?/],
    ["geo_mean", /did you mean "gmpo"\?/],
    ["reinforced", /surrogate to be one of "ppo-clip", .*did you mean "reinforce"\?/],
    [
      { kind: "reinforce", cap: 3 },
      /surrogate "reinforce" to have known keys only, received "cap"/,
    ],
    [{}, /surrogate to be one of .*, received undefined/],
    [null, /surrogate to be one of .*, received null/],
    [["reinforce"], /surrogate to be one of/],
  ];
  for (const [surrogate, message] of refused) {
    t.throws(() => new Objective({ surrogate } as never), { code: "ERR_ARGUMENT", message });
  }
});

test("rollout log-probs and advantages that are no numbers are named with their row", (t) => {
  const objective = new Objective({ surrogate: "reinforce" });
  const row = BATCH.responseMask.lastIndexOf(1);
  const broken = (name: "rolloutLogProbs" | "advantages") => {
    const values = Float64Array.from({ length: BATCH.rows }, (_, i) =>
      i === row ? Number.NaN : 0,
    );
    return { ...batchOf(), [name]: values };
  };
  for (const name of ["rolloutLogProbs", "advantages"] as const) {
    const error = t.throws(() => objective.evaluate(broken(name)), { code: "ERR_NOT_FINITE" });
    t.regex(error?.message ?? "", new RegExp(`expected ${name}\\[${row}\\] to be`));
    t.is((error as unknown as { row: number }).row, row);
  }
});
