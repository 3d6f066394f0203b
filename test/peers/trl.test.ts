/** GRPOConfig, option by option, and Liger's arguments beside it. */
import test from "ava";
import { Objective, type ObjectiveSpec, tensor } from "../../lib/index.js";
import { fromLiger, fromTrl } from "../../lib/peers/index.js";
import { assertClose } from "../support/close.js";

const spec = (config: object): ObjectiveSpec => fromTrl(config).spec;

test("loss types are a surrogate and a reduction", (t) => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["grpo", "ppo-clip", "seq-mean-token-mean"],
    ["bnpo", "ppo-clip", "token-mean"],
    ["dr_grpo", "ppo-clip", "seq-mean-token-sum-norm"],
    ["dapo", "ppo-clip", "token-mean"],
    ["cispo", "cispo", "token-mean"],
    ["sapo", "sapo", "seq-mean-token-mean"],
    ["vespo", "vespo", "token-mean"],
  ];
  for (const [loss_type, kind, reduction] of rows) {
    const { surrogate, reduction: own } = spec({ loss_type });
    t.deepEqual([surrogate.kind, own], [kind, reduction], loss_type);
  }
  const sequence = { importance_sampling_level: "sequence" };
  t.deepEqual(spec({ loss_type: "luspo", ...sequence }).surrogate, { kind: "gspo" });
  t.is(spec({ loss_type: "luspo", ...sequence }).reduction, "seq-mean-token-sum");
  t.is(spec({ importance_sampling_level: "sequence_token" }).surrogate.kind, "gspo-token");
});

test("parameters of the shapes arrive", (t) => {
  t.deepEqual(spec({ loss_type: "sapo", sapo_temperature_neg: 1.5 }).surrogate, {
    kind: "sapo",
    temperaturePositive: 1,
    temperatureNegative: 1.5,
  });
  t.deepEqual(spec({ loss_type: "vespo", vespo_k_pos: 1, vespo_lambda_neg: 0 }).surrogate, {
    kind: "vespo",
    powerPositive: 1,
    decayPositive: 3,
    powerNegative: 3,
    decayNegative: 1e-4,
  });
  t.deepEqual(spec({ loss_type: "cispo", epsilon_high: 5 }).surrogate, {
    kind: "cispo",
    ratioCap: 5,
  });
});

test("cispo's epsilon_high is a cap, and PPO's clip stays out of it", (t) => {
  const { spec: own, differences } = fromTrl({ loss_type: "cispo", epsilon_high: 5 });
  t.is(own.clipHigh, 0.2);
  t.true(differences.some(({ what }) => /cap of the ratio itself/.test(what)));
});

test("epsilon_high falls back to epsilon; delta is the dual clip above it and inexpressible below", (t) => {
  t.is(spec({ epsilon: 0.1 }).clipHigh, 0.1);
  t.is(spec({ epsilon_high: 0.28, delta: 1.6 }).clipDual, 1.6);
  const low = fromTrl({ epsilon_high: 0.28, delta: 1.2 });
  t.is(low.spec.clipDual, 0);
  t.deepEqual(
    low.notExpressible.map(({ option, value }) => [option, value]),
    [["delta", 1.2]],
  );
});

test("TRL's limits are none: the import says so", (t) => {
  const { logRatioLimit, klLimit, denominatorEpsilon } = spec({});
  t.deepEqual([logRatioLimit, klLimit, denominatorEpsilon], [700, null, 0]);
});

test("an entropy bonus is a negative coefficient of exact entropy", (t) => {
  const { spec: own, batch } = fromTrl({ entropy_coef: 0.01 });
  t.deepEqual([own.entropyCoef, own.entropyEstimator, batch], [-0.01, "exact", ["entropy"]]);
  t.is(spec({}).entropyCoef, 0);
  const { rules } = fromTrl({ use_adaptive_entropy: true, entropy_target: 0.3 });
  t.true(rules.some((rule) => rule.includes("AdaptiveEntropy({ target: 0.3, delta: 0.005,")));
});

test("rewards become advantages with TRL's 1e-4", (t) => {
  const advantages = (config: object) => fromTrl(config).advantages;
  t.deepEqual(advantages({}), { kind: "grpo", epsilon: 1e-4, smallGroups: "zero" });
  t.deepEqual(advantages({ scale_rewards: true }), advantages({}));
  t.deepEqual(advantages({ scale_rewards: "batch" })?.kind, "grpo-batch");
  t.deepEqual(advantages({ scale_rewards: false }), { kind: "dr-grpo", smallGroups: "zero" });
  t.deepEqual(advantages({ multi_objective_aggregation: "normalize_then_sum" })?.kind, "gdpo");
  const mean = fromTrl({ scale_rewards: "mean" });
  t.is(mean.advantages, undefined);
  t.is(mean.notExpressible[0]?.option, "scale_rewards");
});

test("what has to come from the whole batch is said as data and as a sentence", (t) => {
  t.deepEqual(fromTrl({ loss_type: "dapo" }).wholeBatch, ["tokens"]);
  t.true(fromTrl({ loss_type: "dapo" }).rules.some((rule) => rule.startsWith("denominators.tok")));
  t.deepEqual(fromTrl({ loss_type: "bnpo" }).wholeBatch, []);
  const dr = fromTrl({ loss_type: "dr_grpo", max_completion_length: 2048 });
  t.deepEqual(dr.denominators, { maxLength: 2048 });
  t.true(dr.rules.some((rule) => rule.includes("2048")));
});

test("what TRL has and this has not is listed", (t) => {
  const listed = (config: object) => fromTrl(config).notExpressible.map(({ option }) => option);
  const sequence = { importance_sampling_level: "sequence" };
  t.deepEqual(listed({ loss_type: "cispo", ...sequence }), ["importance_sampling_level"]);
  t.deepEqual(listed({ loss_type: "vespo", use_vllm: true }), ["vllm_importance_sampling_mode"]);
  t.deepEqual(listed({ router_aux_loss_coef: 0.001 }), ["router_aux_loss_coef"]);
});

test("what TRL computes otherwise is listed", (t) => {
  const whats = (config: object) => fromTrl(config).differences.map(({ what }) => what);
  const luspo = { loss_type: "luspo", importance_sampling_level: "sequence" };
  t.deepEqual(whats(luspo), []);
  t.regex(whats({ ...luspo, beta: 0.1, use_bias_correction_kl: false })[0] ?? "", /padding/);
  t.regex(whats({ loss_type: "bnpo", beta: 0.1 })[0] ?? "", /by default/);
  t.regex(whats({})[0] ?? "", /truncated tokens/);
});

test("Liger's arguments are TRL's under other names and with other defaults", (t) => {
  const same = {
    epsilon_high: 0.28,
    delta: 2,
    beta: 0.02,
    sapo_temperature_neg: 1.1,
    max_completion_length: 64,
    temperature: 0.9,
    importance_sampling_level: "token",
  };
  for (const loss_type of ["grpo", "bnpo", "dr_grpo", "dapo", "luspo", "cispo", "sapo", "vespo"]) {
    const trl = fromTrl({ loss_type, epsilon: 0.1, ...same });
    const liger = fromLiger({ loss_type, epsilon_low: 0.1, ...same });
    // Liger has no entropy term, so the spec has the default of its own.
    const { entropyEstimator: _, ...own } = trl.spec;
    t.like(liger.spec, own);
    t.deepEqual(liger.denominators, trl.denominators);
  }
  const { spec: own, batch } = fromLiger({});
  t.deepEqual([own.refKlCoef, own.clipLow, own.clipHigh, batch], [0.04, 0.2, 0.2, ["refLogProbs"]]);
  t.deepEqual(fromLiger({ eps_low: 0.1, eps_high: 0.3 }).spec.clipHigh, 0.3);
  t.deepEqual(fromLiger({ num_items_in_batch: 100 }).denominators, { tokens: 100 });
});

test("what Liger refuses, and what its two losses do differently, is listed", (t) => {
  const sequence = { importance_sampling_level: "sequence" };
  t.regex(fromLiger({ loss_type: "sapo", ...sequence }).notExpressible[0]?.why ?? "", /refuses/);
  const kl = fromLiger({ use_bias_correction_kl: true, ...sequence });
  t.is(kl.spec.refKlEstimator, "unbiased-sequence");
  t.regex(kl.differences[0]?.why ?? "", /393-397/);
  t.regex(fromLiger({ loss_type: "luspo" }).differences[0]?.what ?? "", /Triton/);
  t.is(fromLiger({ vllm_is_ratio: new Float32Array(2) }).notExpressible.length, 1);
});

test("vLLM's weights in four modes, bounds on either side, and none without vLLM", (t) => {
  const correction = (config: object) => spec({ use_vllm: true, ...config }).rolloutCorrection;
  t.is(spec({ vllm_importance_sampling_mode: "token_mask" }).rolloutCorrection, null);
  t.is(correction({ vllm_importance_sampling_correction: false }), null);
  const rest = { batchNormalize: false, reject: null };
  t.deepEqual(correction({}), { level: "sequence", mode: "mask", max: 3, min: 0, ...rest });
  const truncated = {
    vllm_importance_sampling_mode: "token_truncate",
    vllm_importance_sampling_cap: 2,
    vllm_importance_sampling_clip_min: 0.5,
  };
  t.deepEqual(correction(truncated), {
    level: "token",
    mode: "truncate",
    max: 2,
    min: 0.5,
    ...rest,
  });
  const unbounded = { vllm_importance_sampling_clip_max: null };
  t.is(correction(unbounded)?.max, Number.MAX_VALUE);
  t.deepEqual(fromTrl({ use_vllm: true }).batch, ["oldLogProbs", "rolloutLogProbs"]);
});

test("masks of tokens and sequences", (t) => {
  const { spec: own, batch, differences } = fromTrl({ top_entropy_quantile: 0.2 });
  t.deepEqual(own.policyTokenMask, {
    by: "entropy",
    top: 0.2,
    level: "batch",
    choice: "quantile",
    denominator: "all",
  });
  t.deepEqual(batch, ["entropy"]);
  t.true(differences.some(({ what }) => /quantile/.test(what)));
  t.is(spec({ top_entropy_quantile: 1 }).policyTokenMask, null);
  t.is(fromTrl({ top_entropy_quantile: 0 }).notExpressible[0]?.option, "top_entropy_quantile");
  t.deepEqual(spec({ off_policy_mask_threshold: 0.5 }).offPolicyMask, { threshold: 0.5 });
  const cut = fromTrl({ mask_truncated_completions: true });
  t.true(cut.rules.some((rule) => rule.startsWith("responseMask")));
});

test("off_policy_mask_threshold takes the pushed-away sequence out that left the sampler", (t) => {
  // Two sequences of two tokens, on policy for the old one: ratios are exp(ℓ − ℓ_old).
  const batch = {
    logProbs: tensor(Float64Array.of(-1, -2, -1, -1), { shape: [2, 2] }) as never,
    oldLogProbs: tensor(Float64Array.of(-0.5, -1.3, -1, -1.1), { shape: [2, 2] }) as never,
    advantages: [-1, -1],
  };
  const loss = (threshold: number | null) =>
    new Objective(spec({ loss_type: "grpo", off_policy_mask_threshold: threshold })).evaluate(batch)
      .loss;
  // ε = 0.2: with A < 0 the loss of a token is max(r, clip(r)), below at 0.8.
  const [first, second] = [(0.8 + 0.8) / 2, (1 + Math.exp(0.1)) / 2];
  assertClose(t, "without", loss(null), (first + second) / 2, { rtol: 1e-14, atol: 0 });
  // Mean of ℓ_old − ℓ is 0.6 and −0.05.
  assertClose(t, "0.5", loss(0.5), second / 2, { rtol: 1e-14, atol: 0 });
  assertClose(t, "0.7", loss(0.7), (first + second) / 2, { rtol: 1e-14, atol: 0 });
});

test("the PAPO trainer that TRL had: its weights, its clamp, and what was wrong with it", (t) => {
  const { spec: own, differences } = fromTrl({
    loss_type: "grpo",
    perception_loss_weight: 0.1,
    der_loss_weight1: 0.03,
    der_loss_weight2: 0.03,
  });
  t.like(own, {
    perceptionKlCoef: 0.1,
    perceptionKlEstimator: "k3",
    perceptionKlMin: 0,
    perceptionKlMax: 0.2,
    entropyCoef: 0.03,
    maskedEntropyCoef: 0.03,
  });
  t.is(differences.length, 2);
});

/** What an import says of one option. */
const saidOf = (imported: ReturnType<typeof fromTrl>, name: string) =>
  imported.notExpressible.find(({ option }) => option === name)?.why;

test("what cannot be said here, or must be done beside it, is told", (t) => {
  const refused = fromLiger({ delta: 1.1, epsilon_high: 0.2 });
  t.regex(saidOf(refused, "delta") ?? "", /undercuts the ordinary clip/);
  t.true(fromLiger({ use_ref_model: false }).rules.some((rule) => /set beta to 0/.test(rule)));
  t.false(fromLiger({ use_ref_model: false, beta: 0 }).rules.some((rule) => /beta/.test(rule)));
  const biased = { use_bias_correction_kl: true, importance_sampling_level: "token" };
  t.is(fromLiger(biased).spec.refKlEstimator, "unbiased");
  t.true(fromTrl({ sync_ref_model: true }).rules.some((rule) => /as it is mixed/.test(rule)));
  const masked = fromTrl({ off_policy_mask_threshold: 0.5, use_vllm: true });
  t.deepEqual(masked.spec.offPolicyMask, { threshold: 0.5 });
  t.true(masked.batch.includes("rolloutLogProbs"));
  const entropy = (entropy_coef: number) =>
    fromTrl({ top_entropy_quantile: 0.2, entropy_coef }).differences.length;
  t.is(entropy(0.01), entropy(0) + 1);
});
