/** The library's inner arrays: apart from each other, zero, and out of every caller's reach. */
import test from "ava";
import { innerArray, placeOf } from "../../lib/core/slab.js";
import {
  backward,
  clippedSurrogate,
  objective,
  papoLoss,
  reduceTokens,
  Tensor,
  tensor,
  tokenStats,
} from "../../lib/index.js";

test("inner arrays are zero and share no byte", (t) => {
  const arrays = Array.from({ length: 3000 }, (_, i) =>
    i % 3 === 0 ? innerArray("int32", 1 + (i % 7)) : innerArray("float64", 1 + (i % 40)),
  );
  for (const [i, array] of arrays.entries()) {
    t.true(array.every((value) => value === 0));
    array.fill(i);
  }
  for (const [i, array] of arrays.entries()) t.true(array.every((value) => value === i));
});

test("small ones lie side by side, large ones in a buffer of their own", (t) => {
  const small = innerArray("float64", 3);
  const place = placeOf(small);
  t.is(place.data.buffer, small.buffer);
  t.is(place.byteOffset, small.byteOffset);
  t.is(place.data.byteOffset, 0);
  for (const alone of [innerArray("float64", 129), new Float64Array(2)]) {
    t.is(alone.buffer.byteLength, alone.byteLength);
    t.deepEqual(placeOf(alone), { data: alone, byteOffset: 0 });
  }
  t.is(innerArray("int32", 0).length, 0);
  t.throws(() => innerArray("float64", 2 ** 50), { code: "ERR_OUT_OF_MEMORY" });
});

/** All typed arrays that can be reached from a value. */
function* arraysOf(value: unknown): Generator<ArrayBufferView> {
  if (ArrayBuffer.isView(value)) yield value;
  else if (value instanceof Tensor) yield* arraysOf(value.data);
  else if (typeof value === "object" && value !== null) {
    for (const one of Object.values(value)) yield* arraysOf(one);
  }
}

test("whoever transfers what the library gave takes nothing else along", (t) => {
  const leaf = () => tensor(new Float32Array(8), { shape: [2, 4], requiresGrad: true });
  const [logits, maskedLogits] = [leaf(), leaf()];
  const tokenIds = [0, 1];
  const logProbs = tensor([-1, -2], { dtype: "float64", requiresGrad: true });
  const batch = { logits, maskedLogits, tokenIds, advantages: [1, -1] };
  const rows = { advantages: [1, -1], refLogProbs: [-1, -1] };
  const papo = papoLoss(batch);
  backward(papo);
  const surrogate = clippedSurrogate({ logProbs, advantages: [1, -1] });
  const mean = reduceTokens(surrogate, { responseMask: [1, 0] });
  backward(mean);
  const papoG = objective("papo-g-7b").build();
  const options = { perToken: true } as const;
  const given = [
    ...[papo, logits.grad, surrogate, mean, logProbs, logProbs.grad],
    tokenStats({ logits, maskedLogits, tokenIds, onInvalid: "skip" }),
    papoG.evaluate({ ...batch, ...rows }, { ...options, onInvalid: "skip" }),
    papoG.evaluate({ logProbs, maskedLogProbs: [-1, -3], ...rows }, options),
  ];
  const arrays = given.flatMap((value) => [...arraysOf(value)]);
  t.true(arrays.length > 30);
  for (const array of arrays) t.is(array.buffer.byteLength, array.byteLength);
});
