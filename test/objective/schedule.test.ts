/** Coefficients over the steps of training. */
import test from "ava";
import { coefficientAt, Objective, objective, type Schedule } from "../../lib/index.js";
import { coefficientRange } from "../../lib/objective/schedule.js";
import { makeBatch } from "../support/inputs.js";
import { logitsBatch } from "./batches.js";

const LINEAR: Schedule = { kind: "linear", from: 0.02, to: 0, steps: 100 };

test("a number and a constant schedule are the same at every step", (t) => {
  for (const step of [0, 1, 1e9]) {
    t.is(coefficientAt(0.02, step), 0.02);
    t.is(coefficientAt({ kind: "constant", from: 0.02 }, step), 0.02);
  }
});

test("a linear schedule starts at from, passes the middle half-way and stays at to", (t) => {
  t.is(coefficientAt(LINEAR, 0), 0.02);
  t.is(coefficientAt(LINEAR, 50), 0.01);
  t.true(Math.abs(coefficientAt(LINEAR, 25) - 0.015) < 1e-15);
  t.is(coefficientAt(LINEAR, 100), 0);
  t.is(coefficientAt(LINEAR, 1e6), 0);
});

test("a cosine schedule has the same ends and middle, and is slow at both ends", (t) => {
  const cosine: Schedule = { ...LINEAR, kind: "cosine" };
  t.is(coefficientAt(cosine, 0), 0.02);
  t.true(Math.abs(coefficientAt(cosine, 50) - 0.01) < 1e-15);
  t.is(coefficientAt(cosine, 100), 0);
  t.true(coefficientAt(cosine, 10) > coefficientAt(LINEAR, 10));
  t.true(coefficientAt(cosine, 90) < coefficientAt(LINEAR, 90));
});

test("the ends are exactly the numbers that were written", (t) => {
  // 0.7 + (0.1 − 0.7) is 0.09999999999999998.
  for (const kind of ["linear", "cosine"] as const) {
    const schedule: Schedule = { kind, from: 0.7, to: 0.1, steps: 3 };
    t.is(coefficientAt(schedule, 0), 0.7);
    t.is(coefficientAt(schedule, 3), 0.1);
  }
});

test("the first step is one of them, and there may be one in all", (t) => {
  t.is(coefficientAt({ ...LINEAR, steps: 10 }, 1), 0.02 - 0.002);
  t.is(coefficientAt({ kind: "linear", from: 1, to: 3, steps: 1 }, 0), 1);
  t.is(coefficientAt({ kind: "linear", from: 1, to: 3, steps: 1 }, 0.5), 2);
  t.is(coefficientAt({ kind: "linear", from: 1, to: 3, steps: 1 }, 1), 3);
});

test("the values of a schedule lie between its ends, whichever is the larger one", (t) => {
  for (const kind of ["linear", "cosine"] as const) {
    t.deepEqual(coefficientRange({ kind, from: 0, to: 2, steps: 5 }), { min: 0, max: 2 });
    t.deepEqual(coefficientRange({ kind, from: 2, to: -1, steps: 5 }), { min: -1, max: 2 });
  }
  t.deepEqual(coefficientRange({ kind: "constant", from: 3 }), { min: 3, max: 3 });
  t.deepEqual(coefficientRange(-2), { min: -2, max: -2 });
});

test("an evaluation uses the value at its step", (t) => {
  const batch = logitsBatch(makeBatch());
  const scheduled = objective("papo-g-3b").perceptionKl({ coef: LINEAR }).build();
  for (const [step, coef] of [
    [0, 0.02],
    [50, 0.01],
    [500, 0],
  ] as const) {
    const fixed = objective("papo-g-3b").perceptionKl({ coef }).build();
    const evaluation = scheduled.evaluate(batch, { step });
    t.is(evaluation.coefficients.perceptionKl, coef);
    t.is(evaluation.loss, fixed.evaluate(batch).loss);
  }
});

test("a schedule without a step is an error, a constant one is not", (t) => {
  const batch = logitsBatch(makeBatch());
  t.throws(() => new Objective({ entropyCoef: LINEAR }).evaluate(batch), {
    code: "ERR_ARGUMENT",
    message: "[Objective.evaluate] expected step, since entropyCoef is a schedule, received none",
  });
  t.notThrows(() =>
    new Objective({ entropyCoef: { kind: "constant", from: 0.1 } }).evaluate(batch),
  );
});

test("a step is a number from 0 up", (t) => {
  const batch = logitsBatch(makeBatch());
  for (const step of [-1, Number.NaN, Number.POSITIVE_INFINITY, "3" as never]) {
    t.throws(() => new Objective({}).evaluate(batch, { step }), { code: "ERR_RANGE" });
  }
});

test("incomplete, unknown and endless schedules are refused", (t) => {
  const refused: [unknown, string][] = [
    [
      { kind: "linear", from: 1, to: 0 },
      "refKlCoef.steps to be an integer from 1 up, received undefined",
    ],
    [{ ...LINEAR, steps: 0 }, "refKlCoef.steps to be an integer from 1 up, received 0"],
    [{ ...LINEAR, steps: 2.5 }, "refKlCoef.steps to be an integer from 1 up, received 2.5"],
    [{ ...LINEAR, to: undefined }, "refKlCoef.to to be a number, received undefined"],
    [{ ...LINEAR, from: Number.NaN }, "refKlCoef.from to be a finite number, received NaN"],
    [
      { ...LINEAR, kind: "exponential" },
      'refKlCoef.kind to be one of "constant", "linear", "cosine", received "exponential"',
    ],
    [
      { ...LINEAR, step: 1 },
      'the schedule of refKlCoef to have known keys only, received "step" (did you mean steps?)',
    ],
    [{ kind: "constant", from: 1, to: 2 }, "no refKlCoef.to in a constant schedule, received one"],
    [null, "refKlCoef to be a number or a schedule, received null"],
    ["0.01", 'refKlCoef to be a number or a schedule, received "0.01"'],
    [[0.01], "the schedule of refKlCoef to be a plain object, received an array of 1"],
  ];
  for (const [refKlCoef, message] of refused) {
    const error = t.throws(() => new Objective({ refKlCoef: refKlCoef as never }));
    t.is(error?.message, `[objective] expected ${message}`);
  }
});
