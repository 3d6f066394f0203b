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
