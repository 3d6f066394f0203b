/** [rows] inputs in every form callers have them, and the message for each that is none. */
import test from "ava";
import {
  advantageRows,
  type MaskInput,
  maskRows,
  type NumbersInput,
  numberRows,
  type TokenIdsInput,
  tokenIdRows,
} from "../../lib/functional/inputs.js";
import { layoutOf } from "../../lib/functional/layout.js";
import { tensor } from "../../lib/tensor/create.js";
import { toBfloat16, toFloat16Bits } from "../../lib/tensor/half.js";

test("one number per row comes as an array or a tensor of any floating-point dtype", (t) => {
  const values = [0.5, -2, 1.25];
  const expected = Float64Array.from(values);
  const inputs: NumbersInput[] = [
    values,
    Float32Array.from(values),
    expected,
    tensor(expected),
    tensor(Float32Array.from(values)),
    tensor(toFloat16Bits(values), { dtype: "float16" }),
    tensor(toBfloat16(values), { dtype: "bfloat16" }),
    tensor(Float64Array.of(0.5, -2, 1.25), { shape: [3, 1] }),
  ];
  for (const input of inputs) t.deepEqual(numberRows("f", "x", input, 3), expected);
});

test("the padding of a tensor's rows is left out", (t) => {
  const padded = tensor(Float64Array.of(1, 2, 9, 3, 4, 9), { shape: [2, 2], rowPitch: 3 });
  t.deepEqual(numberRows("f", "x", padded, 4), Float64Array.of(1, 2, 3, 4));
});

test("inputs are copied: what the caller writes later does not matter", (t) => {
  const values = Float64Array.of(1, 2);
  const copy = numberRows("f", "x", values, 2);
  values[0] = 7;
  t.deepEqual(copy, Float64Array.of(1, 2));
});

test("a mask comes as 0 and 1 or as booleans, in any array", (t) => {
  const bits = [1, 0, 1];
  const inputs: MaskInput[] = [
    bits,
    [true, false, true],
    Int32Array.from(bits),
    Uint8Array.from(bits),
    Float32Array.from(bits),
    Float64Array.from(bits),
    tensor(Int32Array.from(bits)),
    tensor(Float32Array.from(bits)),
  ];
  for (const input of inputs) t.deepEqual(maskRows("f", "m", input, 3), Int32Array.from(bits));
  t.is(maskRows("f", "m", undefined, 3), undefined);
});

test("token ids come as integers of any kind, and masked rows may hold anything", (t) => {
  const ids = [5, 0, 7];
  const inputs: TokenIdsInput[] = [
    ids,
    Int32Array.from(ids),
    BigInt64Array.from(ids.map(BigInt)),
    tensor(Int32Array.from(ids)),
  ];
  for (const input of inputs)
    t.deepEqual(tokenIdRows("f", input, 3, undefined), Int32Array.from(ids));
  const mask = Int32Array.of(1, 0, 1);
  t.deepEqual(tokenIdRows("f", [5, -100, 7], 3, mask), Int32Array.of(5, 0, 7));
  t.deepEqual(
    tokenIdRows("f", BigInt64Array.of(5n, 2n ** 60n, 7n), 3, mask),
    Int32Array.of(5, 0, 7),
  );
});

test("advantages come one per row or one per sequence", (t) => {
  const layout = layoutOf("f", [5], [0, 2, 2, 5]);
  t.deepEqual(advantageRows("f", [1, 2, 3], layout), Float64Array.of(1, 1, 3, 3, 3));
  t.deepEqual(advantageRows("f", [1, 2, 3, 4, 5], layout), Float64Array.of(1, 2, 3, 4, 5));
  t.throws(() => advantageRows("f", [1, 2], layout), {
    code: "ERR_SHAPE",
    message: "[f] expected advantages [5] for rows or [3] for sequences, received [2]",
  });
});

test("inputs of the wrong kind, length, dtype or value are refused by name", (t) => {
  const refused = (act: () => unknown, code: string, message: string) =>
    t.throws(act, { name: "PapoError", code, message: `[f] expected ${message}` });
  const number = (value: unknown) => () => numberRows("f", "oldLogProbs", value as number[], 2);
  refused(number([1]), "ERR_SHAPE", "oldLogProbs [2], received [1]");
  refused(
    number(3),
    "ERR_ARGUMENT",
    "oldLogProbs to be a Tensor, an array of numbers, or a Float32Array, Float64Array, received 3",
  );
  refused(
    number(new Int32Array(2)),
    "ERR_DTYPE",
    "oldLogProbs to be a Tensor, an array of numbers, or a Float32Array, Float64Array, received Int32Array of 2 elements",
  );
  refused(number([1, "2"]), "ERR_ARGUMENT", 'oldLogProbs[1] to be a number, received "2"');
  refused(
    number(tensor(new Int32Array(2))),
    "ERR_DTYPE",
    "oldLogProbs to hold a floating-point dtype, received int32",
  );
  refused(
    number(tensor(new Float32Array(2), { shape: [1, 1, 2] })),
    "ERR_SHAPE",
    "oldLogProbs to have rank 1 or 2, received [1, 1, 2]",
  );
  const mask = (value: unknown) => () => maskRows("f", "responseMask", value as number[], 2);
  refused(mask([1, 2]), "ERR_RANGE", "responseMask[1] to be 0 or 1, received 2");
  refused(mask(Float32Array.of(0.5, 1)), "ERR_RANGE", "responseMask[0] to be 0 or 1, received 0.5");
  refused(mask([1, null]), "ERR_RANGE", "responseMask[1] to be 0 or 1, received null");
  const ids = (value: unknown) => () => tokenIdRows("f", value as number[], 2, undefined);
  refused(
    ids(BigInt64Array.of(1n, 2n ** 31n)),
    "ERR_RANGE",
    "tokenIds[1] to be an integer of 32 bits, received 2147483648n",
  );
  refused(ids([1, 1.5]), "ERR_RANGE", "tokenIds[1] to be an integer of 32 bits, received 1.5");
  refused(
    ids([1, Number.NaN]),
    "ERR_RANGE",
    "tokenIds[1] to be an integer of 32 bits, received NaN",
  );
  refused(
    ids(new Float32Array(2)),
    "ERR_DTYPE",
    "tokenIds to be a Tensor, an array of numbers, or a Int32Array, BigInt64Array, received Float32Array of 2 elements",
  );
  refused(
    ids(tensor(new Float32Array(2))),
    "ERR_DTYPE",
    "tokenIds to hold int32, received float32",
  );
  const gone = tensor(new Float64Array(2));
  gone.dispose();
  refused(number(gone), "ERR_DISPOSED", "oldLogProbs to be alive, received a disposed tensor");
});
