/** What must compile, and what must not: dtype and rank are part of a tensor's type. Checked by `npm run types`. */

import type { Logits, LogitsDType, Rows, Scalar, Tensor, TokenStates } from "../../lib/index.js";
import {
  add,
  backward,
  cuda,
  detach,
  estimateAdvantages,
  finishTokenStats,
  fromDevicePointer,
  grad,
  mergeTokenStats,
  mul,
  noGrad,
  objective,
  papoLoss,
  pinned,
  reduceTokens,
  type scalar,
  tensor,
  tokenStats,
  tokenStatsAsync,
  tokenStatsGrad,
  tokenStatsPartial,
  valueAndGrad,
  zeros,
} from "../../lib/index.js";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<_Yes extends true>(): void {}

export async function publicApi(): Promise<void> {
  // Dtype from the array's class, rank from the shape as it is written.
  const logits = tensor(new Float32Array(12), { shape: [3, 4], requiresGrad: true });
  is<Same<typeof logits, Tensor<"float32", 2>>>();
  const maskedLogits = tensor(new Float32Array(12), { shape: [3, 4] });
  const rows = tensor(new Float64Array(3));
  is<Same<typeof rows, Tensor<"float64", 1>>>();
  const bits = tensor(new Uint16Array(24), { dtype: "bfloat16", shape: [2, 3, 4] });
  is<Same<typeof bits, Tensor<"bfloat16", 3>>>();
  const ints = tensor(new Int32Array(3));
  is<Same<typeof ints, Tensor<"int32", 1>>>();
  const numbers = tensor([1, 2, 3, 4], { shape: [2, 2] });
  is<Same<typeof numbers, Tensor<"float32", 2>>>();
  const halves = tensor([1, 2], { dtype: "float16" });
  is<Same<typeof halves, Tensor<"float16", 1>>>();
  is<Same<ReturnType<typeof scalar>, Scalar>>();
  const none = zeros([2, 3], { dtype: "float64" });
  is<Same<typeof none, Tensor<"float64", 2>>>();
  is<Same<typeof logits.data, Float32Array>>();
  is<Same<typeof bits.data, Uint16Array>>();

  // A device changes nothing of a type; a slice of rows has two dimensions, or the one it was cut from.
  const there = zeros([2, 3, 4], { dtype: "bfloat16", device: "cuda:1" });
  is<Same<typeof there, Tensor<"bfloat16", 3>>>();
  const back = there.to("cpu");
  is<Same<typeof back, Tensor<"bfloat16", 3>>>();
  const later = await logits.toAsync("cuda", { stream: new cuda.Stream() });
  is<Same<typeof later, Tensor<"float32", 2>>>();
  const slice = there.sliceRows(0, 3);
  is<Same<typeof slice, Tensor<"bfloat16", 2>>>();
  const part = rows.sliceRows(1);
  is<Same<typeof part, Tensor<"float64", 1>>>();
  const locked = pinned([2, 3], { dtype: "float16" });
  is<Same<typeof locked, Tensor<"float16", 2>>>();
  const pointer = there.devicePointer;
  const theirs = fromDevicePointer({ pointer, dtype: "bfloat16", shape: [6, 4], owner: there });
  is<Same<typeof theirs, Tensor<"bfloat16", 2>>>();
  // @ts-expect-error an address is a bigint
  fromDevicePointer({ pointer: 4096, dtype: "bfloat16", shape: [6, 4] });
  // @ts-expect-error no such device
  zeros([2], { device: "tpu" });
  // @ts-expect-error a stream is of a GPU
  new cuda.Stream("cpu");
  const awaited = cuda.withStream(new cuda.Stream(), async () => 3);
  is<Same<typeof awaited, Promise<number>>>();

  // A narrower tensor goes where a wider one is asked for, never the other way round.
  const wide: Logits = logits;
  const any: Tensor = bits;
  // @ts-expect-error the dtype of any tensor is not known to be that of logits
  const narrow: Logits = any;
  void [wide, narrow];

  // @ts-expect-error a Uint16Array may hold either half format, so its dtype must be said
  tensor(new Uint16Array(4));
  // @ts-expect-error a Float32Array holds no bfloat16
  tensor(new Float32Array(4), { dtype: "bfloat16" });
  // @ts-expect-error no such dtype
  zeros([2], { dtype: "float8" });
  // @ts-expect-error the shape of a tensor is read-only
  logits.shape[0] = 2;
  // @ts-expect-error a tensor's dtype is read-only
  logits.dtype = "float16";

  const tokenIds = new Int32Array(3);
  const single = tokenStats({ logits, tokenIds });
  is<Same<typeof single.logProbs, Rows>>();
  // @ts-expect-error without masked logits there is no KL
  void single.kl;
  const pair = tokenStats({ logits, maskedLogits, tokenIds });
  is<Same<typeof pair.kl, Rows>>();
  const async = await tokenStatsAsync({ logits, maskedLogits, tokenIds });
  is<Same<typeof async.reverseKl, Rows>>();

  // Parts of a vocabulary: states in, statistics out, of as many policies as were asked for.
  const states = tokenStatsPartial({ logits, tokenIds, vocabOffset: 4, vocabTotal: 12 });
  is<Same<typeof states, Tensor<"float64", 2>>>();
  const merged = mergeTokenStats([states, states]);
  is<Same<typeof merged, TokenStates>>();
  const one = finishTokenStats({ states: merged });
  // @ts-expect-error of one policy there is no KL
  void one.kl;
  const told = finishTokenStats({ states: merged, hasMasked: true });
  is<Same<typeof told.kl, Rows>>();
  const onTape = finishTokenStats({ states: merged, logits, maskedLogits, tokenIds });
  is<Same<typeof onTape.maskedLogProbs, Rows>>();
  const evaluation = objective("grpo")
    .build()
    .evaluate({ ...onTape, advantages: rows });
  const shard = tokenStatsGrad({ logits, tokenIds, states: merged, gradients: evaluation });
  is<Same<typeof shard.gradLogits, Tensor<LogitsDType, 2 | 3>>>();
  // @ts-expect-error gradients go by the names an evaluation has for them
  tokenStatsGrad({ logits, tokenIds, states: merged, gradients: { kl: rows } });

  // @ts-expect-error logits have rank 2 or 3
  tokenStats({ logits: tensor(new Float32Array(4)), tokenIds });
  // @ts-expect-error logits are no float64
  tokenStats({ logits: none, tokenIds });
  // @ts-expect-error token ids are no floating-point numbers
  tokenStats({ logits, tokenIds: new Float32Array(3) });
  // @ts-expect-error an option that does not exist
  tokenStats({ logits, tokenIds, temprature: 1 });
  // @ts-expect-error onInvalid is one of two words
  tokenStats({ logits, tokenIds, onInvalid: "ignore" });

  // Arithmetic keeps the rank and does not mix ranks or dtypes.
  const sum = add(pair.kl, mul(pair.entropy, 0.5));
  is<Same<typeof sum, Rows>>();
  const loss = reduceTokens(sum, { reduction: "token-mean" });
  is<Same<typeof loss, Scalar>>();
  const each = reduceTokens(sum, { reduction: "none" });
  is<Same<typeof each, Rows>>();
  // @ts-expect-error one number per row and one number do not add up
  add(sum, loss);
  // @ts-expect-error pointwise arithmetic is float64
  add(sum, tensor(new Float32Array(3)));
  // @ts-expect-error no such reduction
  reduceTokens(sum, { reduction: "mean" });

  backward(loss);
  // @ts-expect-error logits are no loss
  backward(logits);
  const own = detach(logits);
  is<Same<typeof own, Tensor<"float32", 2>>>();
  const value = noGrad(() => papoLoss({ logits, tokenIds, advantages: [1, 2, 3] }));
  is<Same<typeof value, Scalar>>();
  // @ts-expect-error a policy loss needs advantages
  papoLoss({ logits, tokenIds });
  // @ts-expect-error no such estimator
  papoLoss({ logits, tokenIds, advantages: rows, perceptionKlEstimator: "k4" });
  // @ts-expect-error the KL to the reference has no exact estimator: only log-probs are given
  papoLoss({ logits, tokenIds, advantages: rows, refKlEstimator: "exact" });

  const f = (z: Tensor<"float32", 2>) => reduceTokens(tokenStats({ logits: z, tokenIds }).entropy);
  const [entropy, [gradLogits]] = valueAndGrad(f)(logits);
  is<Same<typeof entropy, Scalar>>();
  is<Same<typeof gradLogits, Tensor<"float32", 2>>>();
  // @ts-expect-error the function takes one tensor
  grad(f)(logits, maskedLogits);
  // @ts-expect-error a gradient is that of a scalar
  grad((z: Tensor<"float32", 2>) => tokenStats({ logits: z, tokenIds }).entropy);
}

export function advantages(): void {
  const rewards = [1, null, undefined, Number.NaN];
  const { advantages } = estimateAdvantages("grpo", { rewards, groupSize: 2, epsilon: 1e-4 });
  is<Same<typeof advantages, Float64Array>>();
  // @ts-expect-error no such estimator
  estimateAdvantages("gppo", { rewards, groupSize: 2 });
  // @ts-expect-error Dr. GRPO divides by nothing
  estimateAdvantages("dr-grpo", { rewards, groupSize: 2, epsilon: 1e-4 });
  // @ts-expect-error GAE needs values
  estimateAdvantages("gae", { rewards, shape: [4, 2] });
  // @ts-expect-error no such choice
  estimateAdvantages("rloo", { rewards, groupSize: 2, smallGroups: "keep" });
}
