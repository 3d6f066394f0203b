/** What each op refuses at the native door itself, where lib/ does not let it come so far. */
import test from "ava";
import type { DType } from "../../lib/core/dtype.js";
import { type NativeTensor, runNative, type Tensors } from "./native-call.js";

const ROWS = 3;
const VOCAB = 5;

const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
};

function matrix(dtype: DType, rows: number, columns: number): NativeTensor {
  const data = new ARRAYS[dtype](rows * columns);
  return { data, dtype, rows, columns, rowPitch: columns };
}
const logits = (dtype: DType = "float32") => matrix(dtype, ROWS, VOCAB);
const lines = (count: number) => matrix("float64", count, ROWS);
const column = (dtype: DType) => matrix(dtype, ROWS, 1);

/** Sound inputs and outputs of the ops. */
const GRAD = {
  logits: logits(),
  token_ids: column("int32"),
  statistics: lines(8),
  cotangents: lines(6),
};
const LOSS = {
  logits: logits(),
  token_ids: column("int32"),
  advantages: column("float64"),
  weights: column("float64"),
  entropy_weights: column("float64"),
};
const LOSS_OUT = { statistics: lines(8), terms: lines(12) };
const BOTH = { grad_logits: logits(), grad_masked_logits: logits("bfloat16") };

const REFUSALS: readonly (readonly [
  title: string,
  op: string,
  inputs: Tensors,
  outputs: Tensors,
  attributes: Readonly<Record<string, number | string>>,
  code: string,
  message: RegExp,
])[] = [
  [
    "statistics of logits of two dtypes",
    "token_stats",
    { logits: logits(), masked_logits: logits("float16"), token_ids: column("int32") },
    { statistics: lines(8) },
    {},
    "ERR_DTYPE",
    /maskedLogits to be float32 like logits, received float16/,
  ],
  [
    "states of logits of two dtypes",
    "token_stats_partial",
    { logits: logits(), masked_logits: logits("float16"), token_ids: column("int32") },
    { states: lines(12) },
    { vocab_total: VOCAB },
    "ERR_DTYPE",
    /maskedLogits to be float32 like logits, received float16/,
  ],
  [
    "gradients of logits of two dtypes",
    "token_stats_grad",
    { ...GRAD, masked_logits: logits("float16") },
    { grad_logits: logits() },
    { vocab_total: VOCAB },
    "ERR_DTYPE",
    /maskedLogits to be float32 like logits, received float16/,
  ],
  [
    "a gradient of another half precision than its logits",
    "token_stats_grad",
    { ...GRAD, logits: logits("float16") },
    { grad_logits: logits("bfloat16") },
    { vocab_total: VOCAB },
    "ERR_DTYPE",
    /gradLogits to be float16 like the logits, or float32, received bfloat16/,
  ],
  [
    "gradients of two dtypes",
    "token_stats_grad",
    { ...GRAD, masked_logits: logits() },
    BOTH,
    { vocab_total: VOCAB },
    "ERR_DTYPE",
    /to be of one dtype, received float32 and bfloat16/,
  ],
  [
    "a gradient of masked logits that are not there",
    "token_stats_grad",
    GRAD,
    { grad_masked_logits: logits() },
    { vocab_total: VOCAB },
    "ERR_ARGUMENT",
    /maskedLogits where gradMaskedLogits is asked for, received nothing/,
  ],
  [
    "logits for zeros",
    "token_stats_grad",
    GRAD,
    { grad_logits: GRAD.logits },
    { vocab_total: VOCAB, grads_zeroed: 1 },
    "ERR_ARGUMENT",
    /gradLogits in memory of its own where gradsZeroed is said, received that of its logits/,
  ],
  [
    "a masked branch in two forms",
    "papo_loss",
    { ...LOSS, masked_logits: logits(), masked_log_probs: column("float64") },
    LOSS_OUT,
    {},
    "ERR_ARGUMENT",
    /either maskedLogits or maskedLogProbs, received both/,
  ],
  [
    "the exact perception KL of constants",
    "papo_loss",
    { ...LOSS, masked_log_probs: column("float64") },
    LOSS_OUT,
    { perception_kl_coef: 0.1, perception_kl_estimator: "exact" },
    "ERR_UNSUPPORTED",
    /maskedLogits for the exact perception KL, received none/,
  ],
  [
    "the exact masked entropy of constants",
    "papo_loss",
    { ...LOSS, masked_log_probs: column("float64") },
    LOSS_OUT,
    { masked_entropy_coef: 0.1, entropy_estimator: "exact" },
    "ERR_UNSUPPORTED",
    /maskedLogits for the exact masked entropy, received none/,
  ],
];

for (const [title, op, inputs, outputs, attributes, code, message] of REFUSALS) {
  test(`refused: ${title}`, (t) => {
    t.throws(() => runNative([op, inputs, outputs, attributes]), { code, message });
  });
}
