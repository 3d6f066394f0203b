/** What a reader's project infers from the adapters, with the packages that they are for. */
import * as jax from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import { expectTypeOf } from "expect-type";
import { objective } from "papo";
import { jaxObjective } from "papo/jax";
import { type TfjsObjective, tfjsObjective } from "papo/tfjs";

const grpo = objective("grpo").build();

const onTape = tfjsObjective(tf, grpo);
expectTypeOf(onTape).toEqualTypeOf<TfjsObjective>();
expectTypeOf(onTape.evaluate).returns.toHaveProperty("loss").toEqualTypeOf<tf.Scalar>();
const logits = tf.zeros<tf.Rank.R2>([2, 3]);
expectTypeOf(
  onTape.evaluate({ logits, tokenIds: [0, 1], advantages: [1, 0] }).evaluation.loss,
).toBeNumber();

const behindVjp = jaxObjective(jax, grpo);
const weights = { embed: jax.numpy.zeros([2, 3]) };
const step = await behindVjp.valueAndGrad(
  ({ embed }: typeof weights) => ({ logits: embed }),
  weights,
  {
    tokenIds: [0, 1],
    advantages: [1, 0],
  },
);
expectTypeOf(step.gradients).toEqualTypeOf<typeof weights>();

// @ts-expect-error an objective that is built
tfjsObjective(tf, objective("grpo"));
// @ts-expect-error TensorFlow.js is not jax-js
jaxObjective(tf, grpo);
