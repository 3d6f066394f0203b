/** The off-policy sequence mask by hand: who is dropped, at the threshold, at extremes. */
import test from "ava";
import { offPolicyMask } from "../../lib/rollout/mismatch.js";

const BATCH = {
  shape: [3, 2] as const,
  // Mean gaps to the sampler: 1, 0.25 (one token), 1.
  logProbs: [-2, -3, -1, Number.NaN, -2, -3],
  samplerLogProbs: [-1, -2, -0.75, Number.NaN, -1, -2],
  responseMask: [1, 1, 1, 0, 1, 1],
};

test("a sequence that the policy left is dropped where its advantage is negative", (t) => {
  const maskOf = (advantages: number[], threshold: number) =>
    Array.from(offPolicyMask({ ...BATCH, advantages, threshold }));
  t.deepEqual(maskOf([-1, -1, 1], 0.5), [0, 0, 1, 0, 1, 1]);
  t.deepEqual(maskOf([-1, -1, 0], 0.5), [0, 0, 1, 0, 1, 1], "0 is not negative");
  t.deepEqual(maskOf([-1, -1, -1], 1), [1, 1, 1, 0, 1, 1], "at the threshold");
  t.deepEqual(maskOf([-1, -1, -1], 0.999), [0, 0, 1, 0, 0, 0]);
  t.deepEqual(
    maskOf([-1, 1, -1, -1, 2, -1], 0.1),
    [0, 1, 0, 0, 1, 0],
    "each token's own advantage",
  );
});

test("the other direction is no reason to drop", (t) => {
  const swapped = { ...BATCH, logProbs: BATCH.samplerLogProbs, samplerLogProbs: BATCH.logProbs };
  const mask = offPolicyMask({ ...swapped, advantages: [-1, -1, -1], threshold: 0 });
  t.deepEqual(Array.from(mask), [1, 1, 1, 0, 1, 1]);
});

test("log-probs of −Infinity are decided: what the policy excludes is far from it", (t) => {
  const maskOf = (logProbs: number[], samplerLogProbs: number[]) =>
    Array.from(offPolicyMask({ logProbs, samplerLogProbs, advantages: [-1], threshold: 1e9 }));
  t.deepEqual(maskOf([-Infinity, -1], [-1, -1]), [0, 0]);
  t.deepEqual(maskOf([-1, -1], [-Infinity, -1]), [1, 1]);
  t.deepEqual(maskOf([-1, -Infinity, -1], [-Infinity, -1, -1]), [0, 0, 0]);
  t.deepEqual(maskOf([-Infinity, -1, -1], [-1, -Infinity, -1]), [0, 0, 0]);
  t.deepEqual(maskOf([-Infinity], [-Infinity]), [1]);
});

test("nothing counted is nothing kept", (t) => {
  const none = { logProbs: [-9, -9], samplerLogProbs: [-1, -1], advantages: [-1], threshold: 0 };
  t.deepEqual(Array.from(offPolicyMask({ ...none, responseMask: [0, 0] })), [0, 0]);
});
