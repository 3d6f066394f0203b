/** What the functions of a rollout mismatch refuse, by name. */
import test from "ava";
import { PapoError, type PapoErrorCode } from "../../lib/core/errors.js";
import {
  offPolicyMask,
  rolloutDiagnostics,
  rolloutRejection,
  rolloutWeights,
} from "../../lib/rollout/mismatch.js";
import { readRolloutCorrection } from "../../lib/rollout/rules.js";
import { HOSTILE, OWN } from "../support/hostile.js";

const PAIR = { oldLogProbs: [-1, -2], rolloutLogProbs: [-1, -2] };
const REJECT = { by: "k1", level: "token", max: 2 } as const;

const REFUSED: readonly [what: string, call: () => unknown, code: PapoErrorCode, says: RegExp][] = [
  [
    "NaN",
    () => rolloutWeights({ ...PAIR, oldLogProbs: [-1, Number.NaN] }),
    "ERR_NOT_FINITE",
    /oldLogProbs\[1\]/,
  ],
  [
    "+Infinity",
    () => rolloutDiagnostics({ ...PAIR, rolloutLogProbs: [Infinity, -1] }),
    "ERR_NOT_FINITE",
    /rolloutLogProbs\[0\]/,
  ],
  [
    "other lengths",
    () => rolloutWeights({ ...PAIR, rolloutLogProbs: [-1] }),
    "ERR_SHAPE",
    /rolloutLogProbs/,
  ],
  [
    "a mask of 2",
    () => rolloutWeights({ ...PAIR, responseMask: [1, 2] }),
    "ERR_RANGE",
    /responseMask\[1\]/,
  ],
  [
    "level",
    () => rolloutWeights({ ...PAIR, level: "batch" as "token" }),
    "ERR_ARGUMENT",
    /level.*"batch"/,
  ],
  ["mode", () => rolloutWeights({ ...PAIR, mode: "clip" as "mask" }), "ERR_ARGUMENT", /mode/],
  ["max 0", () => rolloutWeights({ ...PAIR, max: 0 }), "ERR_RANGE", /max.*above 0/],
  ["max NaN", () => rolloutWeights({ ...PAIR, max: Number.NaN }), "ERR_RANGE", /max/],
  ["min above max", () => rolloutWeights({ ...PAIR, min: 3 }), "ERR_RANGE", /min.*at most 2/],
  [
    "a word for a number",
    () => rolloutWeights({ ...PAIR, max: "2" as unknown as number }),
    "ERR_ARGUMENT",
    /max/,
  ],
  ["weightMean", () => rolloutWeights({ ...PAIR, weightMean: 0 }), "ERR_RANGE", /weightMean/],
  [
    "a limit",
    () => rolloutWeights({ ...PAIR, logRatioLimit: Infinity }),
    "ERR_RANGE",
    /logRatioLimit/,
  ],
  [
    "a misspelt option",
    () => rolloutWeights({ ...PAIR, cap: 2 } as typeof PAIR),
    "ERR_ARGUMENT",
    /"cap"/,
  ],
  [
    "no estimator",
    () => rolloutRejection({ ...PAIR, ...REJECT, by: undefined as unknown as "k1" }),
    "ERR_ARGUMENT",
    /by/,
  ],
  [
    "no bound",
    () => rolloutRejection({ ...PAIR, ...REJECT, max: undefined as unknown as number }),
    "ERR_ARGUMENT",
    /max/,
  ],
  [
    "a min for k3",
    () => rolloutRejection({ ...PAIR, ...REJECT, by: "k3", min: 0.1 }),
    "ERR_ARGUMENT",
    /min/,
  ],
  [
    "a threshold",
    () =>
      offPolicyMask({
        logProbs: [-1],
        samplerLogProbs: [-1],
        advantages: [1],
        threshold: Number.NaN,
      }),
    "ERR_ARGUMENT",
    /threshold/,
  ],
  [
    "an advantage",
    () =>
      offPolicyMask({
        logProbs: [-1],
        samplerLogProbs: [-1],
        advantages: [Infinity],
        threshold: 1,
      }),
    "ERR_NOT_FINITE",
    /advantages/,
  ],
  [
    "reject",
    () =>
      readRolloutCorrection("t", "rolloutCorrection", { reject: [REJECT, { ...REJECT, max: -1 }] }),
    "ERR_RANGE",
    /rolloutCorrection\.reject\[1\]\.max/,
  ],
];

for (const [what, call, code, says] of REFUSED) {
  test(`refused: ${what}`, (t) => {
    const error = t.throws(call, { instanceOf: PapoError });
    t.is(error?.code, code);
    t.regex(error?.message ?? "", says);
  });
}

test("bounds of a rejection are above 0, and as many rules as 1024 are rules", (t) => {
  const read = (reject: object) =>
    readRolloutCorrection("f", "rule", { reject } as Parameters<typeof readRolloutCorrection>[2]);
  const says = (reject: object, message: string) =>
    t.throws(() => read(reject), {
      code: "ERR_RANGE",
      message: `[f] expected rule.reject${message}`,
    });
  says({ by: "k2", max: 0 }, ".max to be a number above 0, received 0");
  says({ by: "k2", max: Infinity }, ".max to be a number above 0, received Infinity");
  says({ by: "k1", max: 2, min: 0 }, ".min to be a number above 0 and at most 2, received 0");
  says({ by: "k1", max: 2, min: 2.5 }, ".min to be a number above 0 and at most 2, received 2.5");
  const rules = new Array(1024).fill({ by: "k2", max: 1 });
  t.notThrows(() => read(rules));
  t.throws(() => read([...rules, rules[0]]), { message: /at most 1024 rules/ });
});

test("no value of any kind surfaces as anything but a result or a PapoError", (t) => {
  for (const [name, make] of Object.entries(HOSTILE)) {
    for (const key of [
      "oldLogProbs",
      "rolloutLogProbs",
      "responseMask",
      "max",
      "reject",
      "shape",
    ]) {
      const value = make();
      const calls = [
        () => rolloutWeights({ ...PAIR, [key]: value }),
        () => rolloutRejection({ ...PAIR, ...REJECT, [key]: value }),
        () => rolloutDiagnostics(value as typeof PAIR),
        () => readRolloutCorrection("t", "rule", { [key]: value }),
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
