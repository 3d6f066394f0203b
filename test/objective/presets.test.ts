/** The published numbers, and what is known to go wrong with others. */
import test from "ava";
import {
  type ObjectiveSpec,
  type ObjectiveSpecInput,
  objective,
  PRESET_FORMS,
  PRESET_IDS,
  type PresetId,
  preset,
  presetSummary,
  presetValues,
  SPEC_KEYS,
  validateSpec,
  warnings,
} from "../../lib/index.js";
import { FAMILY_PRESET_IDS } from "../../lib/objective/family-presets.js";
import { PAPER_PRESET_IDS } from "../../lib/objective/presets.js";
import { SURROGATES } from "../../lib/surrogates/table.js";

/** γ, β, η of both entropies, ε_low, ε_high as published. */
const TABLE: Readonly<
  Record<(typeof PAPER_PRESET_IDS)[number], readonly [number, number, number, number, number]>
> = {
  "papo-g-3b": [0.02, 0.01, 0, 0.2, 0.3],
  "papo-g-7b": [0.02, 0.01, 0.05, 0.2, 0.3],
  "papo-g-3b-no-ref": [0.01, 0, 0.03, 0.2, 0.3],
  "papo-g-7b-no-ref": [0.01, 0, 0.03, 0.2, 0.3],
  "papo-d-3b": [0.01, 0, 0.03, 0.2, 0.28],
  "papo-d-7b": [0.01, 0, 0.03, 0.2, 0.28],
  grpo: [0, 0.01, 0, 0.2, 0.3],
  dapo: [0, 0, 0, 0.2, 0.28],
};

test("coefficients and clips are the published ones in both forms", (t) => {
  for (const id of PAPER_PRESET_IDS) {
    for (const form of PRESET_FORMS) {
      const spec = preset(id, { form });
      const { perceptionKlCoef, refKlCoef, entropyCoef, maskedEntropyCoef } = spec;
      t.deepEqual(
        [perceptionKlCoef, refKlCoef, entropyCoef, spec.clipLow, spec.clipHigh],
        TABLE[id],
      );
      t.is(maskedEntropyCoef, entropyCoef);
      t.is(spec.clipDual, 3);
      t.is(spec.temperature, 1);
      t.is(spec.refKlEstimator, "k3");
      t.is(spec.logRatioLimit, 20);
      t.is(spec.klLimit, 10);
    }
  }
});

test("the authors' form is what their code computes", (t) => {
  for (const id of PAPER_PRESET_IDS) {
    t.like(preset(id), {
      perceptionKlEstimator: "k3",
      exactKlLimit: null,
      entropyEstimator: "sampled",
      maskedBranch: "constant",
      reduction: "token-mean",
      entropyReduction: "token-mean",
    });
    t.deepEqual(preset(id), preset(id, { form: "authors" }));
  }
});

test("the corrected form replaces all of the authors' choices at once", (t) => {
  for (const id of PAPER_PRESET_IDS) {
    t.like(preset(id, { form: "corrected" }), {
      perceptionKlEstimator: "exact",
      exactKlLimit: 10,
      entropyEstimator: "exact",
      maskedBranch: "differentiable",
      reduction: /-d-|dapo/.test(id) ? "token-mean" : "seq-mean-token-mean",
      entropyReduction: "same",
    });
  }
});

test("every value of a preset names its source, and no key is missing", (t) => {
  for (const id of PRESET_IDS) {
    t.true(presetSummary(id).length > 10);
    for (const form of PRESET_FORMS) {
      const values = presetValues(id, { form });
      t.deepEqual(values.map(({ key }) => key).sort(), [...SPEC_KEYS].sort());
      const spec = preset(id, { form });
      for (const { key, value, source } of values) {
        t.deepEqual(spec[key], value);
        t.true(source.length > 5, `${id} ${key}`);
      }
    }
  }
});

test("unknown presets and forms are refused with the list", (t) => {
  t.throws(() => preset("papo" as never), {
    code: "ERR_ARGUMENT",
    message:
      /the name of a preset \(papo-g-3b, .*vppo\), received "papo" \(did you mean "papo-g-7b"\?\)/,
  });
  t.throws(() => preset("dr_grpo" as never), { message: /did you mean "dr-grpo"\?/ });
  t.throws(() => preset("geo_mean" as never), { message: /did you mean "gmpo"\?/ });
  t.throws(() => preset("constructor" as never), { code: "ERR_ARGUMENT" });
  t.throws(() => preset("grpo", { form: "mixed" as never }), {
    code: "ERR_ARGUMENT",
    message: /form to be "authors" or "corrected", received "mixed"/,
  });
});

function about(spec: Partial<ObjectiveSpec>, ...words: string[]): boolean {
  const found = warnings(validateSpec(spec));
  return words.every((word) => found.some((sentence) => sentence.includes(word)));
}

test("coefficients in the paper's region of collapse are warned of", (t) => {
  const safe = { refKlCoef: 0.01, entropyCoef: 0.05, perceptionKlCoef: 0.02 };
  t.deepEqual(warnings(validateSpec(safe)), []);
  t.true(about({ ...safe, perceptionKlCoef: 0.04 }, "collapse from 0.04 up"));
  t.true(about({ ...safe, refKlCoef: 0 }, "without a reference KL"));
  t.true(about({ ...safe, entropyCoef: 0 }, "without an entropy term"));
  t.true(about({ ...safe, entropyCoef: 0.01 }, "0.01 collapsed late"));
  t.deepEqual(warnings(validateSpec({ ...safe, perceptionKlCoef: 0.01, entropyCoef: 0 })), []);
});

test("a schedule is judged by its worse end", (t) => {
  const perceptionKlCoef = { kind: "linear", from: 0, to: 0.05, steps: 10 } as const;
  t.true(about({ refKlCoef: 0.01, entropyCoef: 0.05, perceptionKlCoef }, "0.04"));
});

test("terms without effect, without bound and with the other sign are warned of", (t) => {
  t.true(about({ maskedEntropyCoef: 0.05 }, "has no gradient"));
  t.true(about({ refKlCoef: 0.01, refKlEstimator: "k1" }, "zero in expectation"));
  t.true(about({ perceptionKlCoef: 0.01, perceptionKlEstimator: "k1" }, "zero in expectation"));
  t.true(about({ perceptionKlCoef: 0.01, perceptionKlEstimator: "exact" }, "has no bound"));
  t.true(
    about({ perceptionKlCoef: 0.01, perceptionKlEstimator: "k3+" }, "grows with the log-ratio"),
  );
  t.true(about({ perceptionKlCoef: -0.01 }, "pulls both policies together"));
  t.true(about({ refKlCoef: -0.01 }, "away from the reference"));
  t.deepEqual(warnings(validateSpec({})), []);
});

test("the corrected presets leave no term without effect or bound", (t) => {
  for (const id of PAPER_PRESET_IDS) {
    const found = objective(id, { form: "corrected" }).build().warnings;
    // What remains is the paper's own remark about γ = 0.02 without entropy at 7B.
    t.is(found.length, id === "papo-g-3b" ? 1 : 0, id);
  }
});

test("presets of other publications are their surrogate and its numbers, no perception term", (t) => {
  for (const id of FAMILY_PRESET_IDS) {
    for (const form of PRESET_FORMS) {
      const spec = preset(id, { form });
      const { refKlCoef, perceptionKlCoef, entropyCoef, maskedEntropyCoef, sftCoef } = spec;
      t.deepEqual([refKlCoef, perceptionKlCoef, maskedEntropyCoef, sftCoef], [0, 0, 0, 0]);
      // VPPO trains with an entropy penalty.
      t.is(entropyCoef, id === "vppo" ? 0.06 : 0);
      t.deepEqual(objective(id, { form }).build().warnings, [], id);
    }
    t.is(preset(id).perceptionKlEstimator, "k3");
    t.is(preset(id, { form: "corrected" }).perceptionKlEstimator, "exact");
    t.is(preset(id, { form: "corrected" }).reduction, preset(id).reduction);
  }
  const kinds = FAMILY_PRESET_IDS.map((id) => preset(id).surrogate.kind);
  const { length } = SURROGATES.filter(
    ({ kind }) => !kinds.includes(kind) && kind !== "cispo-two-sided",
  );
  t.is(length, 0, "every surrogate has a preset");
});

/** clipLow, clipHigh, reduction as published. */
const FAMILY: Readonly<Partial<Record<PresetId, readonly [number, number, string]>>> = {
  ppo: [0.2, 0.2, "token-mean"],
  "dr-grpo": [0.2, 0.2, "seq-mean-token-sum-norm"],
  luspo: [2e-3, 2.5e-3, "seq-mean-token-sum"],
  gspo: [3e-4, 4e-4, "seq-mean-token-mean"],
  "gspo-token": [3e-4, 4e-4, "seq-mean-token-mean"],
  "clip-cov": [1, 1, "token-mean"],
  gmpo: [0.4, 0.4, "seq-mean-token-mean"],
  vppo: [0.2, 0.28, "token-mean"],
};

test("clips and reductions of the family are the published ones", (t) => {
  for (const [id, expected] of Object.entries(FAMILY)) {
    const { clipLow, clipHigh, reduction } = preset(id as PresetId);
    t.deepEqual([clipLow, clipHigh, reduction], expected, id);
  }
  t.like(preset("vppo").policyTokenMask, { by: "perception", top: 0.4, choice: "count" });
  t.like(preset("vppo"), { clipDual: 3, entropyEstimator: "sampled" });
  t.like(preset("kl-cov").surrogate, { fraction: 2e-3, coefficient: 1 });
  t.like(preset("dppo").surrogate, { divergence: "tv", low: 0.15, high: 0.15, conditional: true });
  t.like(preset("icepop").surrogate, { low: 0.5, high: 5 });
  t.like(preset("sapo").surrogate, { temperaturePositive: 1, temperatureNegative: 1.05 });
  t.like(preset("vespo").surrogate, {
    powerPositive: 2,
    decayPositive: 3,
    powerNegative: 3,
    decayNegative: 2,
  });
});

test("what does little or changes a coefficient unseen is warned of", (t) => {
  t.true(about({ surrogate: { kind: "gspo" } }, "hardly ever leaves PPO's bounds"));
  t.true(
    about({ perceptionTokenMask: { top: 0.2 } as never, perceptionKlCoef: 0.01 }, "about 0.2 of"),
  );
  t.false(
    about(
      { perceptionTokenMask: { top: 0.2, denominator: "kept" } as never, perceptionKlCoef: 0.01 },
      "about 0.2 of",
    ),
  );
  t.true(about({ perceptionKlCoef: 0.01, entropyAnnealing: "with-perception" }, "has no schedule"));
  const bounded = { perceptionKlCoef: 0.01, perceptionKlEstimator: "k3+" } as const;
  t.true(about(bounded, "grows with the log-ratio"));
  t.false(about({ ...bounded, perceptionKlMax: 0.5 }, "grows with the log-ratio"));
});

test("a key that nothing of the objective reads is warned of", (t) => {
  const without: [ObjectiveSpecInput, RegExp][] = [
    [{ surrogate: "cispo", clipLow: 0.1, clipDual: 3 }, /^clipLow, clipDual without effect/],
    [{ surrogate: "gmpo", clipDual: 3 }, /^clipDual without effect: surrogate "gmpo"/],
    [{ incorrectWeight: 0.5 }, /^incorrectWeight without effect/],
    [{ correctThreshold: 0.5 }, /^correctThreshold without effect/],
    [{ perceptionKlMax: 0.2 }, /^perceptionKlMax without effect: perceptionKlCoef is 0/],
    [{ entropyBounds: {} }, /^entropyBounds without effect/],
    [{ exactKlLimit: 5 }, /^exactKlLimit without effect: perceptionKlEstimator is "k3"/],
    [{ emptySequences: "skip" }, /^emptySequences without effect: reduction is "token-mean"/],
  ];
  for (const [spec, message] of without) {
    const found = warnings(spec);
    t.is(found.length, 1);
    t.regex(found[0] as string, message);
  }
  t.deepEqual(warnings({ surrogate: "gmpo", clipLow: 0.4, clipHigh: 0.4 }), []);
  t.deepEqual(warnings({ correctThreshold: 0.5, sftCoef: 1e-3 }), []);
  t.deepEqual(warnings({ emptySequences: "skip", reduction: "seq-mean-token-mean" }), []);
});
