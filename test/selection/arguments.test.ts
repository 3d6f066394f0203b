/** What selection and shaping refuse, by name. */
import test from "ava";
import { PapoError, type PapoErrorCode } from "../../lib/core/errors.js";
import { AdaptiveEntropy, AdaptiveKl } from "../../lib/selection/controllers.js";
import {
  perceptionReward,
  quantileThreshold,
  topTokenMask,
  vppoAdvantages,
} from "../../lib/selection/selection.js";
import { HOSTILE, OWN } from "../support/hostile.js";

const ROWS = { divergences: [1, 2], advantages: [1] };
const REWARD = { divergences: [1, 2], rewards: [1], coef: 1 };
const KL = { coefficient: 1, target: 1, horizon: 100 };

const REFUSED: readonly [what: string, call: () => unknown, code: PapoErrorCode, says: RegExp][] = [
  ["no top", () => topTokenMask({ values: [1] }), "ERR_ARGUMENT", /top/],
  ["top 0", () => topTokenMask({ values: [1], top: 0 }), "ERR_RANGE", /top/],
  ["top 1.5", () => topTokenMask({ values: [1], top: 1.5 }), "ERR_RANGE", /top/],
  ["a top of quantiles", () => quantileThreshold({ values: [1], top: 1.5 }), "ERR_RANGE", /top/],
  [
    "a mean of parts",
    () => vppoAdvantages({ ...ROWS, range: { low: 0, high: 1, mean: 1.5 } }),
    "ERR_RANGE",
    /range\.mean/,
  ],
  [
    "top and threshold",
    () => topTokenMask({ values: [1], top: 1, threshold: 1 }),
    "ERR_ARGUMENT",
    /either/,
  ],
  [
    "a level",
    () => topTokenMask({ values: [1], top: 1, level: "token" as "batch" }),
    "ERR_ARGUMENT",
    /level/,
  ],
  [
    "a choice",
    () => topTokenMask({ values: [1], top: 1, choice: "k" as "count" }),
    "ERR_ARGUMENT",
    /choice/,
  ],
  ["a quantile", () => quantileThreshold({ values: [1], top: -1 }), "ERR_RANGE", /top/],
  [
    "a NaN divergence",
    () => vppoAdvantages({ ...ROWS, divergences: [1, Number.NaN] }),
    "ERR_NOT_FINITE",
    /divergences\[1\]/,
  ],
  [
    "a NaN advantage",
    () => vppoAdvantages({ ...ROWS, advantages: [Number.NaN] }),
    "ERR_NOT_FINITE",
    /advantages/,
  ],
  ["min 2", () => vppoAdvantages({ ...ROWS, min: 2 }), "ERR_RANGE", /min/],
  [
    "a range upside down",
    () => vppoAdvantages({ ...ROWS, range: { low: 2, high: 1, mean: 0 } }),
    "ERR_RANGE",
    /range\.high/,
  ],
  [
    "an infinite divergence",
    () => perceptionReward({ ...REWARD, divergences: [Infinity, 1] }),
    "ERR_NOT_FINITE",
    /divergences\[0\]/,
  ],
  [
    "rewards of tokens",
    () => perceptionReward({ ...REWARD, rewards: [1, 2] }),
    "ERR_SHAPE",
    /rewards/,
  ],
  ["an unbounded reward", () => perceptionReward({ ...REWARD, max: Infinity }), "ERR_RANGE", /max/],
  ["bounds upside down", () => perceptionReward({ ...REWARD, min: 1, max: 0 }), "ERR_RANGE", /max/],
  [
    "no accuracies",
    () => perceptionReward({ ...REWARD, weighting: "correct-only" }),
    "ERR_ARGUMENT",
    /accuracies/,
  ],
  [
    "no coefficient",
    () => perceptionReward({ ...REWARD, coef: undefined as unknown as number }),
    "ERR_ARGUMENT",
    /coef/,
  ],
  ["an entropy of NaN", () => new AdaptiveEntropy().update(Number.NaN), "ERR_RANGE", /entropy/],
  ["bounds", () => new AdaptiveEntropy({ min: 1, max: 0.5 }), "ERR_RANGE", /max/],
  ["a start outside", () => new AdaptiveEntropy({ coefficient: 2 }), "ERR_RANGE", /coefficient/],
  [
    "another's state",
    () => AdaptiveEntropy.fromState(new AdaptiveKl(KL).state() as never),
    "ERR_ARGUMENT",
    /horizon|kind/,
  ],
  [
    "a state that lost a number",
    () => {
      const { horizon: _, ...rest } = new AdaptiveKl(KL).state();
      return AdaptiveKl.fromState(rest as never);
    },
    "ERR_ARGUMENT",
    /state\.horizon/,
  ],
  [
    "a range whose mean cannot be",
    () => vppoAdvantages({ ...ROWS, range: { low: 1, high: 2, mean: 0 } }),
    "ERR_RANGE",
    /range\.mean/,
  ],
  ["a target of 0", () => new AdaptiveKl({ ...KL, target: 0 }), "ERR_RANGE", /target/],
  ["more steps than the horizon", () => new AdaptiveKl(KL).update(1, 101), "ERR_RANGE", /steps/],
];

for (const [what, call, code, says] of REFUSED) {
  test(`refused: ${what}`, (t) => {
    const error = t.throws(call, { instanceOf: PapoError });
    t.is(error?.code, code);
    t.regex(error?.message ?? "", says);
  });
}

test("no value of any kind surfaces as anything but a result or a PapoError", (t) => {
  for (const [name, make] of Object.entries(HOSTILE)) {
    for (const key of ["values", "divergences", "rewards", "coef", "top", "range", "min"]) {
      const value = make();
      const calls = [
        () => topTokenMask({ values: [1], top: 1, [key]: value }),
        () => vppoAdvantages({ ...ROWS, [key]: value }),
        () => perceptionReward({ ...REWARD, [key]: value }),
        () => new AdaptiveEntropy({ [key]: value }),
        () => AdaptiveKl.fromState(value as never),
      ];
      for (const call of calls) {
        try {
          call();
        } catch (error) {
          t.true(error instanceof PapoError || error === OWN, `${name} as ${key}: ${error}`);
        }
      }
    }
  }
  t.pass();
});
