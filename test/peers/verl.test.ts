/** A verl config: the actor, the algorithm, the sampler. */
import test from "ava";
import { fromVerl } from "../../lib/peers/index.js";

test("policy losses by verl's names, with - or _", (t) => {
  const rows: readonly (readonly [string, string])[] = [
    ["vanilla", "ppo-clip"],
    ["gspo", "gspo-token"],
    ["sapo", "sapo"],
    ["gpg", "reinforce"],
    ["clip_cov", "clip-cov"],
    ["clip-cov", "clip-cov"],
    ["kl-cov", "kl-cov"],
    ["geo_mean", "gmpo"],
    ["cispo", "cispo-two-sided"],
    ["dppo_tv", "dppo"],
    ["dppo_kl", "dppo"],
  ];
  for (const [loss_mode, kind] of rows)
    t.is<string, string>(fromVerl({ loss_mode }).spec.surrogate.kind, kind);
});

test("numbers of the policy losses arrive, verl's defaults where they are not given", (t) => {
  const surrogate = (config: object) => fromVerl(config).spec.surrogate;
  t.deepEqual(surrogate({ loss_mode: "kl_cov", kl_cov_ratio: 0.002 }), {
    kind: "kl-cov",
    fraction: 0.002,
    coefficient: 0.1,
  });
  t.deepEqual(surrogate({ loss_mode: "clip_cov", clip_cov_lb: 2 }), {
    kind: "clip-cov",
    fraction: 2e-4,
    lower: 2,
    upper: 5,
  });
  t.like(surrogate({ loss_mode: "dppo_tv", clip_ratio_low: 0.15, clip_ratio_high: 0.05 }), {
    divergence: "tv",
    low: 0.15,
    high: 0.05,
    conditional: true,
  });
});

test("the dual clip is PPO's only", (t) => {
  t.is(fromVerl({}).spec.clipDual, 3);
  t.is(fromVerl({ clip_ratio_c: 1.1 }).spec.clipDual, 0);
  t.is(
    fromVerl({ clip_ratio_c: 1.1 }).notExpressible[0]?.option,
    "actor_rollout_ref.actor.clip_ratio_c",
  );
  t.is(fromVerl({ loss_mode: "cispo" }).spec.clipDual, 0);
});

test("some losses insist on their reduction; counts are verl's", (t) => {
  const reduction = (config: object) => {
    const { spec } = fromVerl(config);
    return [spec.reduction, spec.denominatorEpsilon];
  };
  t.deepEqual(reduction({}), ["token-mean", 0]);
  t.deepEqual(reduction({ loss_mode: "gspo" }), ["seq-mean-token-mean", 1e-8]);
  t.deepEqual(reduction({ loss_agg_mode: "seq-mean-token-sum" }), ["seq-mean-token-sum", 1e-8]);
});

test("the missing division by sequences is given back by a denominator, and said", (t) => {
  const norm = { loss_agg_mode: "seq-mean-token-sum-norm" };
  t.deepEqual(fromVerl(norm).denominators, { sequences: 1 });
  const scaled = fromVerl({ ...norm, loss_scale_factor: 1024 });
  t.deepEqual(scaled.denominators, { sequences: 1, maxLength: 1024 });
  t.regex(scaled.differences[0]?.what ?? "", /not divided by the number of sequences/);
});

test("KL names, the straight-through ones among them", (t) => {
  const kl = (kl_loss_type: string) => {
    const { spec, notExpressible } = fromVerl({ use_kl_loss: true, kl_loss_type });
    return [spec.refKlEstimator, notExpressible.length];
  };
  const rows: readonly (readonly [string, string, number])[] = [
    ["kl", "k1", 0],
    ["k1", "k1", 0],
    ["abs", "abs", 0],
    ["mse", "k2", 0],
    ["k2+", "k2", 0],
    ["low_var_kl", "k3", 0],
    ["k3", "k3", 0],
    ["low_var_kl+", "k3+", 0],
    ["k1+", "k1", 1],
    ["full", "k3", 1],
  ];
  for (const [name, estimator, missing] of rows) t.deepEqual(kl(name), [estimator, missing], name);
});

test("a reference KL is in the loss with use_kl_loss only", (t) => {
  t.is(fromVerl({ kl_loss_coef: 0.1 }).spec.refKlCoef, 0);
  const { spec, batch } = fromVerl({ use_kl_loss: true });
  t.deepEqual([spec.refKlCoef, batch], [0.001, ["refLogProbs"]]);
  const whats = (config: object) => fromVerl(config).differences.map(({ what }) => what);
  t.deepEqual(whats({}), []);
  t.true(whats({ entropy_coeff: 0.01 }).some((what) => what.includes("legacy actor")));
  t.true(whats({ use_kl_loss: true, kl_loss_type: "k1" }).some((what) => /every/.test(what)));
  t.true(whats({ use_kl_loss: true, kl_loss_type: "k3+" }).some((what) => /6058/.test(what)));
  t.regex(fromVerl({ use_kl_in_reward: true }).notExpressible[0]?.why ?? "", /rewards/);
});

test("dynamic sampling and the advantage estimators", (t) => {
  t.deepEqual(fromVerl({ filter_groups: { enable: true } }).groupFilter, {
    rule: "spread",
    fallback: "none",
  });
  t.is(fromVerl({}).groupFilter, undefined);
  t.deepEqual(fromVerl({ "algorithm.adv_estimator": "gae", lam: 0.95 }).advantages, {
    kind: "gae",
    gamma: 1,
    lambda: 0.95,
  });
  const baseline = fromVerl({ adv_estimator: "optimal_token_baseline" });
  t.is(baseline.advantages, undefined);
  t.is(baseline.notExpressible[0]?.option, "algorithm.adv_estimator");
});

test("rollout_correction: weights truncated, or dropped outside of two bounds", (t) => {
  const correction = (section: object) =>
    fromVerl({ algorithm: { rollout_correction: section } }).spec.rolloutCorrection;
  const rest = { batchNormalize: false, reject: null };
  t.is(correction({}), null);
  t.deepEqual(correction({ rollout_is: "token" }), {
    level: "token",
    mode: "truncate",
    max: 2,
    min: 0,
    ...rest,
  });
  const icepop = { rollout_is: "sequence", rollout_is_threshold: "0.5_5.0" };
  t.deepEqual(correction({ ...icepop, rollout_is_batch_normalize: true }), {
    level: "sequence",
    mode: "mask",
    max: 5,
    min: 0.5,
    ...rest,
    batchNormalize: true,
  });
  t.like(fromVerl({ tis_imp_ratio_cap: 3 }).spec.rolloutCorrection, { level: "token", max: 3 });
  t.is(fromVerl({ tis_imp_ratio_cap: -1 }).spec.rolloutCorrection, null);
  t.like(fromVerl({ rollout_is_weights: true }).spec.rolloutCorrection, { level: "token", max: 2 });
});

test("rollout_rs: present names bound the inverse ratio, older ones the ratio", (t) => {
  const reject = (config: object) => fromVerl(config).spec.rolloutCorrection?.reject;
  t.deepEqual(reject({ rollout_rs: "token_k1,seq_max_k3", rollout_rs_threshold: "0.5_2.0,0.01" }), [
    { by: "k1", level: "token", max: 2, min: 0.5 },
    { by: "k3", level: "sequence-max", max: 0.01 },
  ]);
  t.deepEqual(reject({ rollout_rs: "seq_sum_k1", rollout_is_threshold: 4 }), [
    { by: "k1", level: "sequence-sum", max: 4, min: 0.25 },
  ]);
  t.deepEqual(
    reject({
      rollout_rs: "geometric",
      rollout_rs_threshold: 1.25,
      rollout_rs_threshold_lower: 0.5,
      rollout_token_veto_threshold: 1e-4,
    }),
    [
      { by: "k1", level: "sequence-mean", max: 2, min: 0.8 },
      { by: "k1", level: "sequence-max", max: 1e4, min: Number.MIN_VALUE },
    ],
  );
  const { rules, differences, spec } = fromVerl({ rollout_rs: "seq_mean_k3" });
  t.is(spec.rolloutCorrection?.level, "none");
  t.true(rules.some((rule) => rule.includes("`keep`")));
  t.true(differences.some(({ what }) => what.startsWith("Rejected tokens")));
});

test("bypass mode has two losses of its own", (t) => {
  const bypass = { bypass_mode: true, rollout_is: "token", loss_mode: "gspo" };
  const clip = fromVerl(bypass);
  t.deepEqual(
    [clip.spec.surrogate.kind, clip.spec.clipDual, clip.spec.rolloutCorrection],
    ["ppo-clip", 3, null],
  );
  t.true(clip.rules.includes("oldLogProbs: the sampler's log-probs."));
  const rejecting = fromVerl({ ...bypass, rollout_rs: "token_k3" });
  t.is(rejecting.notExpressible[0]?.option, "algorithm.rollout_correction.rollout_rs");
  const plain = fromVerl({ ...bypass, "rollout_correction.loss_type": "reinforce" });
  t.is(plain.spec.surrogate.kind, "reinforce");
  t.is(plain.spec.rolloutCorrection?.level, "token");
});

test("sequence means leave empty sequences out, but for geo_mean", (t) => {
  const empty = (config: object) => fromVerl(config).spec.emptySequences;
  t.is(empty({ loss_mode: "gspo" }), "skip");
  t.is(empty({ loss_mode: "geo_mean" }), "count");
  t.deepEqual(fromVerl({}).wholeBatch, ["tokens"]);
  t.deepEqual(fromVerl({ loss_mode: "gspo" }).wholeBatch, ["sequences"]);
  t.deepEqual(fromVerl({ loss_mode: "geo_mean" }).wholeBatch, []);
});

test("terms beside a loss with a reduction of its own stay with loss_agg_mode, where that can be said", (t) => {
  const beside = (config: object) => {
    const { spec, notExpressible, wholeBatch } = fromVerl({ loss_mode: "gspo", ...config });
    return [spec.entropyReduction, notExpressible.map(({ option }) => option), wholeBatch];
  };
  const option = "actor_rollout_ref.actor.loss_agg_mode";
  const same = { loss_agg_mode: "seq-mean-token-mean", use_kl_loss: true, entropy_coeff: 0.01 };
  t.deepEqual(beside({}), ["token-mean", [], ["sequences"]]);
  t.deepEqual(beside({ entropy_coeff: 0.01 }), ["token-mean", [], ["sequences", "tokens"]]);
  t.deepEqual(beside({ use_kl_loss: true }), ["token-mean", [option], ["sequences"]]);
  t.deepEqual(beside(same), ["same", [], ["sequences"]]);
});

test("what cannot be said here, or must be done beside it, is told", (t) => {
  const drawn = fromVerl({ algorithm: { use_pf_ppo: true } });
  t.deepEqual(
    drawn.notExpressible.map(({ why }) => why),
    ["resampling happens before a batch is made"],
  );
  const sampler = fromVerl({ actor: { use_rollout_log_probs: true } });
  t.is(sampler.rules.length, fromVerl({}).rules.length + 1);
  for (const byStd of [true, false]) {
    const { advantages } = fromVerl({
      algorithm: { adv_estimator: "grpo_passk", norm_adv_by_std_in_grpo: byStd },
    });
    t.like(advantages, { kind: "pass@k", scale: byStd ? "group" : "none" });
  }
  const beside = fromVerl({
    actor: { policy_loss: { loss_mode: "gspo" }, use_kl_loss: true, loss_agg_mode: "token-mean" },
  });
  t.regex(beside.notExpressible.map(({ why }) => why).join(), /the reference KL beside it has no/);
  t.is(fromVerl({ clip_ratio: 0.1, clip_ratio_high: null }).spec.clipHigh, 0.1);
  const [plain, tir] = ["optimal_token_baseline", "tir_optimal_token_baseline"].map((name) =>
    fromVerl({ adv_estimator: name }).notExpressible.map(({ why }) => why),
  );
  t.deepEqual(plain, tir);
});
