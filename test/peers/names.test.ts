/** Names of options: any depth of their section, other peers' words, misspellings, and what is passed over. */
import test from "ava";
import { fromLiger, fromPapoAuthors, fromTrl, fromVerl } from "../../lib/peers/index.js";

test("a verl option may be given with as much of its section as one likes", (t) => {
  const forms = [
    { clip_ratio_high: 0.28, loss_mode: "gspo" },
    { actor: { clip_ratio_high: 0.28, policy_loss: { loss_mode: "gspo" } } },
    { "actor.clip_ratio_high": 0.28, "actor.policy_loss.loss_mode": "gspo" },
    {
      actor_rollout_ref: { "actor.clip_ratio_high": 0.28, actor: { policy_loss: "gspo" } },
    },
    { "actor_rollout_ref.actor": { clip_ratio_high: 0.28, "policy_loss.loss_mode": "gspo" } },
  ];
  const first = fromVerl(forms[0] as object);
  t.is(first.spec.clipHigh, 0.28);
  for (const form of forms) t.deepEqual(fromVerl(form), first);
});

test("null is what an absent value is in Python, and undefined is not there", (t) => {
  t.deepEqual(fromTrl({ epsilon_high: null, delta: undefined }), fromTrl({}));
  t.is(fromVerl({ clip_ratio: 0.1, clip_ratio_low: null }).spec.clipLow, 0.1);
});

const REFUSED: readonly (readonly [() => unknown, string])[] = [
  [
    () => fromTrl({ epsilon_hihg: 0.28 }),
    '[fromTrl] expected options of TRL, received "epsilon_hihg" (did you mean epsilon_high?)',
  ],
  [
    () => fromTrl({ clip_ratio_high: 0.28 }),
    '[fromTrl] expected options of TRL, received "clip_ratio_high" (did you mean epsilon_high?)',
  ],
  [
    () => fromVerl({ actor: { kl_loss_coeff: 0.1 } }),
    '[fromVerl] expected options of verl, received "actor.kl_loss_coeff" (did you mean actor_rollout_ref.actor.kl_loss_coef?)',
  ],
  [
    () => fromVerl({ epsilon_low: 0.2 }),
    '[fromVerl] expected options of verl, received "epsilon_low" (did you mean actor_rollout_ref.actor.clip_ratio_low?)',
  ],
  [
    () => fromLiger({ clipLow: 0.2 }),
    '[fromLiger] expected options of Liger, received "clipLow" (did you mean epsilon_low?)',
  ],
  [
    () => fromPapoAuthors({ algorithm: { kl_prpc_coef: 0.02 } }),
    '[fromPapoAuthors] expected options of PAPO authors, received "algorithm.kl_prpc_coef" (did you mean algorithm.kl_prcp_coef?)',
  ],
  [
    () => fromTrl({ loss_type: "dr-grpo" }),
    '[fromTrl] expected loss_type to be one of "grpo", "bnpo", "dr_grpo", "dapo", "luspo", "cispo", "sapo", "vespo", received "dr-grpo" (did you mean "dr_grpo"?)',
  ],
  [
    () => fromTrl({ epsilon: { low: 0.2 } }),
    "[fromTrl] expected epsilon to be a number from 0 to 1, received an object",
  ],
  [
    () => fromVerl({ clip_ratio_low: 0.2, "actor.clip_ratio_low": 0.1 }),
    "[fromVerl] expected clip_ratio_low once, received clip_ratio_low and actor.clip_ratio_low",
  ],
  [
    () => fromTrl({ beta: "0.04" }),
    '[fromTrl] expected beta to be a number that is finite, received "0.04"',
  ],
  [
    () => fromTrl({ epsilon: 1.5 }),
    "[fromTrl] expected epsilon to be a number from 0 to 1, received 1.5",
  ],
  [
    () => fromPapoAuthors({ config: "configs/config_grpo_pap.yaml" }),
    '[fromPapoAuthors] expected config to be one of the authors\' files (config_grpo.yaml, config_grpo_papo.yaml, config_dapo.yaml, config_dapo_papo.yaml); give the contents of any other, received "configs/config_grpo_pap.yaml" (did you mean config_grpo_papo.yaml?)',
  ],
  [
    () => fromTrl([] as object),
    "[fromTrl] expected a config to be a plain object, received an array of 0",
  ],
  [
    () =>
      fromTrl({
        get beta() {
          return 1;
        },
      }),
    "[fromTrl] expected beta to be a plain value, received a getter or setter",
  ],
  [() => fromTrl({ [Symbol("a")]: 1 }), "[fromTrl] expected names of options, received a symbol"],
  [
    () => {
      const config: { self?: object } = {};
      config.self = config;
      return fromVerl(config);
    },
    "[fromVerl] expected at most 16 levels of sections, received more",
  ],
  [
    () => fromVerl({ rollout_rs: "seq_max_k1x" }),
    '[fromVerl] expected rollout_rs to list modes such as token_k1, seq_sum_k1, seq_mean_k3, seq_max_k2, received "seq_max_k1x"',
  ],
  [
    () => fromVerl({ rollout_is_threshold: "5.0_0.5" }),
    "[fromVerl] expected rollout_is_threshold to be above 0, as one number or as lower_upper, received 5_0.5",
  ],
];

for (const [act, message] of REFUSED) {
  test(message, (t) => {
    const { code } = t.throws(act, { message }) as Error & { code: string };
    t.true(["ERR_ARGUMENT", "ERR_RANGE"].includes(code));
  });
}

test("__proto__ from JSON is an option like any other, and a polluted prototype is none", (t) => {
  t.deepEqual(fromTrl(JSON.parse('{"__proto__": 1}')).ignored, ["__proto__"]);
  Object.defineProperty(Object.prototype, "beta", { value: 1, configurable: true });
  try {
    t.is(fromTrl({}).spec.refKlCoef, 0);
  } finally {
    Reflect.deleteProperty(Object.prototype, "beta");
  }
});

test("options that are none of a loss's business are passed over, unknown ones are reported", (t) => {
  const trl = { learning_rate: 1e-6, bf16: true, generation_kwargs: { top_k: 20 }, my_flag: 1 };
  t.deepEqual(fromTrl(trl).ignored, ["my_flag"]);
  const verl = {
    data: { train_batch_size: 256, max_response_length: 2048 },
    "trainer.nnodes": 1,
    actor_rollout_ref: {
      actor: { optim: { lr: 1e-6 }, fsdp_config: { param_offload: false }, my_flag: 1 },
      rollout: { n: 5, top_p: 0.99, temperature: 0.9 },
    },
  };
  const imported = fromVerl(verl);
  t.deepEqual(imported.ignored, ["actor_rollout_ref.actor.my_flag"]);
  t.is(imported.spec.temperature, 0.9);
});
