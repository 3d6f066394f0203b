/** However a batch is cut, packed or spread over workers: the same loss and the same gradients. */
import test, { type ExecutionContext } from "ava";
import {
  type Denominators,
  type Evaluation,
  type Objective,
  objective,
  REDUCTIONS,
  type Reduction,
} from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { logitsBatch, packed, takeRows, takeSequences, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 11, sequences: 8, tokens: 5, vocabSize: 13, distribution: "far" });
const COUNTED = Array.from({ length: BATCH.rows }, (_, row) => row).filter(
  (row) => BATCH.responseMask[row] === 1,
);

/** Every term on, gradient into both branches, with the reduction for all of it. */
function corrected(reduction: Reduction): Objective {
  return objective("papo-g-7b", { form: "corrected" })
    .clip({ dual: 0 })
    .reduce(reduction, { entropy: "same" })
    .build();
}

/** The counts of the whole batch, for a part of it. */
function whole(more: Denominators = {}): Denominators {
  return { tokens: COUNTED.length, sequences: BATCH.sequences, maxLength: BATCH.tokens, ...more };
}

/** One number per element of the whole batch's logits, from parts that hold some of its rows. */
function gather(
  parts: readonly { readonly evaluation: Evaluation; readonly rows: readonly number[] }[],
  name: "gradLogits" | "gradMaskedLogits",
  factor = 1,
): Float64Array {
  const { rows, vocabSize } = BATCH;
  const gathered = new Float64Array(rows * vocabSize);
  for (const { evaluation, rows: taken } of parts) {
    const values = valuesOf(evaluation[name]);
    taken.forEach((row, i) => {
      for (let v = 0; v < vocabSize; v++) {
        gathered[row * vocabSize + v] = factor * (values[i * vocabSize + v] as number);
      }
    });
  }
  return gathered;
}

function sameAsWhole(
  t: ExecutionContext,
  title: string,
  loss: Objective,
  parts: readonly { readonly evaluation: Evaluation; readonly rows: readonly number[] }[],
  factor = 1,
): void {
  const expected = loss.evaluate(logitsBatch(BATCH));
  const sum = (of: (evaluation: Evaluation) => number) =>
    factor * parts.reduce((total, { evaluation }) => total + of(evaluation), 0);
  assertClose(
    t,
    `${title}: loss`,
    sum((e) => e.loss),
    expected.loss,
    TOLERANCES.engineRows,
  );
  for (const term of ["surrogate", "refKl", "perceptionKl", "entropy", "maskedEntropy"] as const) {
    const total = sum((e) => e.terms[term]);
    assertClose(t, `${title}: ${term}`, total, expected.terms[term], TOLERANCES.engineRows);
  }
  for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
    const gradients = gather(parts, name, factor);
    const tolerance = GRADIENT_TOLERANCES.float32;
    assertClose(t, `${title}: ${name}`, gradients, valuesOf(expected[name]), tolerance);
  }
}

function rowsOf(sequences: readonly number[]): number[] {
  return sequences.flatMap((s) =>
    Array.from({ length: BATCH.tokens }, (_, token) => s * BATCH.tokens + token),
  );
}

for (const reduction of REDUCTIONS) {
  const loss = corrected(reduction);

  test(`${reduction}: eight batches of one sequence, or uneven ones, are one batch of eight`, (t) => {
    const cuts = [
      [[0], [1], [2], [3], [4], [5], [6], [7]],
      [[0, 1, 2], [3], [4, 5, 6, 7]],
    ];
    for (const cut of cuts) {
      const parts = cut.map((sequences) => ({
        rows: rowsOf(sequences),
        evaluation: loss.evaluate(takeSequences(BATCH, sequences), { denominators: whole() }),
      }));
      sameAsWhole(t, `${cut.length} batches`, loss, parts);
    }
  });

  test(`${reduction}: packed is padded`, (t) => {
    const { batch, rows } = packed(BATCH);
    // Only Dr. GRPO's constant has to be told: packing forgets the padded width.
    const options = { denominators: { maxLength: BATCH.tokens } };
    sameAsWhole(t, "packed", loss, [{ evaluation: loss.evaluate(batch, options), rows }]);
  });

  test(`${reduction}: the gradients that two workers average are those of one`, (t) => {
    const parts = [
      [0, 1, 2, 3, 4],
      [5, 6, 7],
    ].map((sequences) => ({
      rows: rowsOf(sequences),
      evaluation: loss.evaluate(takeSequences(BATCH, sequences), {
        denominators: whole({ worldSize: 2 }),
      }),
    }));
    sameAsWhole(t, "two workers", loss, parts, 1 / 2);
  });

  test(`${reduction}: a sequence cut in two is the sequence`, (t) => {
    // Sequence parallelism: each worker holds some tokens of every sequence.
    const { sequences, tokens } = BATCH;
    const counts = Array.from({ length: sequences }, (_, s) =>
      COUNTED.reduce((count, row) => count + Number(Math.floor(row / tokens) === s), 0),
    );
    const parts = [
      [0, 1],
      [2, 3, 4],
    ].map((columns) => {
      const rows = Array.from({ length: sequences }, (_, s) => s).flatMap((s) =>
        columns.map((column) => s * tokens + column),
      );
      const denominators = whole({ sequenceTokens: counts });
      const batch = takeRows(BATCH, rows, { shape: [sequences, columns.length] });
      return { rows, evaluation: loss.evaluate(batch, { denominators }) };
    });
    sameAsWhole(t, "cut sequences", loss, parts);
  });
}

test("the authors' form has the same freedom: entropies keep their own global token mean", (t) => {
  const loss = objective("papo-g-7b").reduce("seq-mean-token-sum").maskedBranch("differentiable");
  const parts = [[0, 1, 2], [3], [4, 5, 6, 7]].map((sequences) => ({
    rows: rowsOf(sequences),
    evaluation: loss.build().evaluate(takeSequences(BATCH, sequences), { denominators: whole() }),
  }));
  sameAsWhole(t, "authors", loss.build(), parts);
});

test("without global counts the parts are means of their own", (t) => {
  const loss = corrected("token-mean");
  const parts = [[0], [2, 3, 4, 5, 6, 7]].map(
    (sequences) => loss.evaluate(takeSequences(BATCH, sequences)).loss,
  );
  const expected = loss.evaluate(logitsBatch(BATCH)).loss;
  t.true(Math.abs(parts.reduce((a, b) => a + b, 0) - expected) > 0.01);
});

test("metrics stay local and merge by their token counts", (t) => {
  const loss = corrected("token-mean");
  const options = { denominators: whole({ worldSize: 2 }) };
  const parts = [
    [0, 1, 2],
    [3, 4, 5, 6, 7],
  ].map((sequences) => loss.evaluate(takeSequences(BATCH, sequences), options).metrics);
  const expected = loss.evaluate(logitsBatch(BATCH)).metrics;
  for (const name of ["kl", "entropy", "approxKl", "clipFraction", "refKl", "ratioMean"] as const) {
    const merged =
      parts.reduce((sum, part) => sum + part.tokens * (part[name] as number), 0) / COUNTED.length;
    assertClose(t, name, merged, expected[name] as number, TOLERANCES.engineRows);
  }
});
