/** The PAPO authors' scripts give the presets, which were written down from the same scripts. */
import test from "ava";
import { type PresetId, preset } from "../../lib/index.js";
import { fromPapoAuthors } from "../../lib/peers/index.js";

const GRPO = { config: "examples/configs/config_grpo_papo.yaml" };
const DAPO = {
  config: "examples/configs/config_dapo_papo.yaml",
  "worker.actor.clip_ratio_low": 0.2,
  "worker.actor.clip_ratio_high": 0.28,
  "algorithm.disable_kl": true,
  "algorithm.online_filtering": true,
  "algorithm.filter_key": "accuracy",
  "algorithm.filter_low": 0.01,
  "algorithm.filter_high": 0.99,
};
const doubleEntropy = (coef: number) => ({
  "algorithm.use_aug_entropy_loss": true,
  "algorithm.aug_entropy_loss_coef": coef,
  "algorithm.use_ori_entropy_loss": true,
  "algorithm.ori_entropy_loss_coef": coef,
});

/** What each script says on its command line. */
const SCRIPTS: Readonly<Record<string, { readonly preset: PresetId; readonly line: object }>> = {
  "papo_grpo/qwen2_5_vl_3b_grpo_papo.sh": {
    preset: "papo-g-3b",
    line: { ...GRPO, "algorithm.kl_prcp_coef": 0.02 },
  },
  "papo_grpo/qwen2_5_vl_7b_grpo_papo.sh": {
    preset: "papo-g-7b",
    line: { ...GRPO, "algorithm.kl_prcp_coef": 0.02, ...doubleEntropy(0.05) },
  },
  "papo_grpo/qwen2_5_vl_7b_grpo_papo_no_kl_ref.sh": {
    preset: "papo-g-7b-no-ref",
    line: {
      ...GRPO,
      "algorithm.disable_kl": true,
      "algorithm.kl_prcp_coef": 0.01,
      ...doubleEntropy(0.03),
    },
  },
  "papo_dapo/qwen2_5_vl_7b_dapo_papo.sh": {
    preset: "papo-d-7b",
    line: { ...DAPO, "algorithm.kl_prcp_coef": 0.01, ...doubleEntropy(0.03) },
  },
  "papo_dapo/qwen2_5_vl_7b_dapo.sh": {
    preset: "dapo",
    line: { ...DAPO, config: "examples/configs/config_dapo.yaml" },
  },
  "config_grpo.yaml alone": {
    preset: "grpo",
    line: { config: "examples/configs/config_grpo.yaml" },
  },
};

for (const [script, { preset: id, line }] of Object.entries(SCRIPTS)) {
  test(`${script} is the preset ${id}`, (t) => {
    const imported = fromPapoAuthors(line);
    t.deepEqual(imported.spec, preset(id));
    t.deepEqual([imported.notExpressible, imported.ignored], [[], []]);
  });
}

test("without a file the classes' defaults hold: the KL is one of rewards, and perception is off", (t) => {
  const { spec, notExpressible } = fromPapoAuthors({});
  t.deepEqual([spec.refKlCoef, spec.perceptionKlCoef, spec.clipHigh], [0, 0, 0.3]);
  t.deepEqual(
    notExpressible.map(({ option }) => option),
    ["algorithm.use_kl_loss"],
  );
  const on = fromPapoAuthors({ use_kl_prcp: true, disable_kl: true });
  t.deepEqual([on.spec.perceptionKlCoef, on.spec.perceptionKlEstimator], [1e-3, "k1"]);
  t.deepEqual(on.batch, ["maskedLogProbs"]);
});

test("the names of July 2025 are the same options", (t) => {
  const now = { disable_kl: true, use_kl_prcp: true, kl_prcp_coef: 0.02, kl_prcp_penalty: "abs" };
  const then = {
    disable_kl: true,
    use_contrastive_kl: true,
    contrastive_kl_coef: 0.02,
    contrastive_kl_penalty: "abs",
  };
  t.deepEqual(fromPapoAuthors(then), fromPapoAuthors({ algorithm: now }));
});

test("annealing is a line over a share of all steps, which have to be known", (t) => {
  const annealed = {
    ...GRPO,
    algorithm: {
      kl_prcp_schedule: "annealing",
      kl_prcp_schedule_args: { end_value: 0.001, annealing_ratio: 0.25 },
    },
  };
  const { spec } = fromPapoAuthors({ ...annealed, trainer: { max_steps: 200 } });
  t.deepEqual(spec.perceptionKlCoef, { kind: "linear", from: 0.01, to: 0.001, steps: 50 });
  const unknown = fromPapoAuthors(annealed);
  t.is(unknown.spec.perceptionKlCoef, 0.01);
  t.is(unknown.notExpressible[0]?.option, "algorithm.kl_prcp_schedule");
  const shifted = fromPapoAuthors({
    ...annealed,
    "trainer.max_steps": 200,
    "kl_prcp_schedule_args.start_value": 0.02,
  });
  t.true(shifted.differences.some(({ what }) => /γ_first/.test(what)));
});

test("the sequence mean counts empty sequences, and entropies stay token means", (t) => {
  const { spec } = fromPapoAuthors({ ...GRPO, loss_avg_mode: "seq" });
  t.deepEqual([spec.reduction, spec.entropyReduction], ["seq-mean-token-mean", "token-mean"]);
});

test("filtering comes with the authors' fallback", (t) => {
  const { groupFilter, rules } = fromPapoAuthors(DAPO);
  t.deepEqual(groupFilter, { rule: "mean", low: 0.01, high: 0.99, fallback: "keep-all" });
  t.true(rules.some((rule) => rule.includes('"accuracy"')));
});

test("groups of one are an error, as the authors assert", (t) => {
  t.deepEqual(fromPapoAuthors(GRPO).advantages, {
    kind: "grpo",
    epsilon: 1e-6,
    smallGroups: "error",
  });
});

test("the experiments that are off by default", (t) => {
  const on = fromPapoAuthors({
    ...GRPO,
    algorithm: {
      kl_prcp_apply_mode: "acc_weighted",
      incorrect_weighting: 0.2,
      use_kl_prcp_token_level_mask: true,
      kl_prcp_token_level_mask_top_p: 0.3,
      use_kl_prcp_clipping: true,
      use_sft_loss: true,
    },
  });
  t.like(on.spec, {
    perceptionWeighting: "accuracy-weighted",
    incorrectWeight: 0.2,
    correctThreshold: 0.1,
    perceptionTokenMask: { top: 0.3, level: "sequence", choice: "quantile", denominator: "all" },
    perceptionKlMin: 0,
    perceptionKlMax: 0.2,
    sftCoef: 1e-3,
  });
  t.deepEqual([...on.batch].sort(), ["accuracies", "maskedLogProbs", "refLogProbs"]);
  t.true(on.differences.some(({ what }) => /after the weight/.test(what)));
  t.is(
    fromPapoAuthors({ ...GRPO, kl_prcp_apply_mode: "correct_only" }).spec.perceptionWeighting,
    "correct-only",
  );
});

test("annealing takes both entropies along", (t) => {
  const config = { ...GRPO, kl_prcp_schedule: "annealing", "trainer.max_steps": 100 };
  t.is(fromPapoAuthors(config).spec.entropyAnnealing, "with-perception");
  t.is(fromPapoAuthors(GRPO).spec.entropyAnnealing, "own");
});

test("what Object.prototype was given is no config file", (t) => {
  const plain = fromPapoAuthors({}).spec;
  const other = { value: { toString: () => "none" }, configurable: true };
  Object.defineProperty(Object.prototype, "config", other);
  try {
    t.deepEqual(fromPapoAuthors({}).spec, plain);
  } finally {
    Reflect.deleteProperty(Object.prototype, "config");
  }
});

test("what cannot be said here, or must be done beside it, is told", (t) => {
  const why = (config: object) => fromPapoAuthors(config).notExpressible.map((one) => one.why);
  const dual = { worker: { actor: { clip_ratio_dual: 1.2, clip_ratio_high: 0.28 } } };
  t.true(why(dual).includes("at or below 1 + clip_ratio_high it undercuts the ordinary clip"));
  const full = why({ algorithm: { kl_penalty: "full" } });
  t.is(full.length, why({}).length + 1);
  t.is(why({ algorithm: { kl_prcp_penalty: "full" } }).length, why({}).length + 1);
  t.true(why({ worker: { actor: { loss_type: "gspo" } } }).some((one) => /ignores it/.test(one)));
  const adaptive = fromPapoAuthors({ algorithm: { kl_type: "adaptive", kl_horizon: 50 } });
  t.true(adaptive.rules.some((rule) => /AdaptiveKl\(\{.*horizon: 50 \}/.test(rule)));
  t.throws(() => fromPapoAuthors({ algorithm: { filter_key: 3 } }), {
    code: "ERR_ARGUMENT",
    message: /filter_key to be text, received 3/,
  });
});
