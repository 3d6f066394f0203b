/** What a reader's project infers from `papo`: literals of presets, dtypes and ranks, fields of results, errors. */
import { expectTypeOf } from "expect-type";
import {
  type Evaluation,
  Objective,
  type ObjectiveSpec,
  objective,
  PapoError,
  type PapoErrorCode,
  type PresetForm,
  type PresetId,
  preset,
  reduceTokens,
  type SafetensorsArray,
  SafetensorsFile,
  Tensor,
  tensor,
  toFloat16,
  tokenStats,
  valueAndGrad,
  version,
  zeros,
} from "papo";

// Dtype from the array's class, rank from the shape as it is written.
const logits = tensor(new Float32Array(12), { shape: [3, 4] });
expectTypeOf(logits).toEqualTypeOf<Tensor<"float32", 2>>();
expectTypeOf(logits.dtype).toEqualTypeOf<"float32">();
expectTypeOf(logits.data).toEqualTypeOf<Float32Array>();
const bits = tensor(new Uint16Array(24), { dtype: "bfloat16", shape: [2, 3, 4] });
expectTypeOf(bits).toEqualTypeOf<Tensor<"bfloat16", 3>>();
expectTypeOf(zeros([2], { dtype: "float64" })).toEqualTypeOf<Tensor<"float64", 1>>();
expectTypeOf(tensor(toFloat16([1]), { dtype: "float16" })).toEqualTypeOf<Tensor<"float16", 1>>();
expectTypeOf(new Uint16Array(1)).toMatchTypeOf<ReturnType<typeof toFloat16>>();

// Presets are literals, so an editor completes them.
expectTypeOf<"papo-g-7b" | "dapo" | "gspo">().toMatchTypeOf<PresetId>();
expectTypeOf<string>().not.toMatchTypeOf<PresetId>();
expectTypeOf<PresetForm>().toEqualTypeOf<"authors" | "corrected">();
expectTypeOf(objective).parameter(0).not.toBeAny();
expectTypeOf(preset("grpo")).toEqualTypeOf<ObjectiveSpec>();

// What an evaluation has, and what it may lack.
const papo = objective("papo-g-7b", { form: "corrected" }).perceptionKl({ coef: 0.01 }).build();
expectTypeOf(papo).toEqualTypeOf<Objective>();
const evaluation = papo.evaluate(
  { logits, maskedLogits: logits, tokenIds: [1, 2, 3], advantages: [1, 0, -1] },
  { inPlace: false },
);
expectTypeOf(evaluation).toEqualTypeOf<Evaluation>();
expectTypeOf(evaluation.loss).toBeNumber();
expectTypeOf(evaluation.metrics.perceptionKl).toEqualTypeOf<number | undefined>();
expectTypeOf(evaluation.gradLogits).exclude<undefined>().toMatchTypeOf<Tensor>();
expectTypeOf(evaluation.gradLogits).extract<undefined>().toBeUndefined();
expectTypeOf(papo.evaluateAsync).returns.resolves.toEqualTypeOf<Evaluation>();
expectTypeOf(papo.evaluateAsync).parameter(1).toMatchTypeOf<{ signal?: AbortSignal } | undefined>();

// Statistics by what was asked for; gradients in the dtype and rank of what they are of.
const { kl } = tokenStats({ logits, maskedLogits: logits, tokenIds: [1, 2, 3] });
expectTypeOf(kl).toEqualTypeOf<Tensor<"float64", 1>>();
const loss = (z: Tensor<"float32", 2>) =>
  reduceTokens(tokenStats({ logits: z, tokenIds: [0, 1, 2] }).entropy);
const [value, [gradient]] = valueAndGrad(loss)(logits);
expectTypeOf(value.data).toEqualTypeOf<Float64Array>();
expectTypeOf(gradient).toEqualTypeOf<Tensor<"float32", 2>>();

// Errors are told apart by a code that is one of a few words.
try {
  new Objective({});
} catch (error) {
  if (error instanceof PapoError) {
    expectTypeOf(error.code).toEqualTypeOf<PapoErrorCode>();
    expectTypeOf(error.row).toEqualTypeOf<number | undefined>();
  }
}
expectTypeOf<"ERR_SHAPE">().toMatchTypeOf<PapoErrorCode>();

// Files, the end of a block, and what is loaded.
expectTypeOf(SafetensorsFile.open).returns.resolves.toEqualTypeOf<SafetensorsFile>();
expectTypeOf<SafetensorsFile>().toMatchTypeOf<AsyncDisposable>();
expectTypeOf(logits).toMatchTypeOf<Disposable>();
expectTypeOf<SafetensorsArray>().not.toBeAny();
expectTypeOf(version).toBeString();

// @ts-expect-error no such preset
objective("papo-g-70b");
// @ts-expect-error no such form
objective("grpo", { form: "author" });
// @ts-expect-error an option that does not exist
objective("grpo").clip({ lo: 0.2 });
// @ts-expect-error a Uint16Array may hold either half format, so its dtype must be said
tensor(new Uint16Array(4));
// @ts-expect-error a Float32Array holds no bfloat16
tensor(new Float32Array(4), { dtype: "bfloat16" });
// @ts-expect-error logits are no float64
tokenStats({ logits: zeros([1, 2], { dtype: "float64" }), tokenIds: [0] });
// @ts-expect-error without masked logits there is no KL
void tokenStats({ logits, tokenIds: [0, 1, 2] }).kl;
// @ts-expect-error a batch has advantages
papo.evaluate({ logits, tokenIds: [0, 1, 2] });
// @ts-expect-error a result is read-only
evaluation.loss = 0;
// @ts-expect-error tensors come from `tensor` and `zeros`
new Tensor();
