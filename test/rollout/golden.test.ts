/** TRL's and verl's own losses with a rollout correction, made again from our weights and masks. */
import { readFileSync } from "node:fs";
import test from "ava";
import { offPolicyMask, rolloutWeights } from "../../lib/rollout/mismatch.js";
import { assertClose } from "../support/close.js";

interface PeerBatch {
  readonly log_probs: number[][];
  readonly old_log_probs: number[][];
  readonly rollout_log_probs: number[][];
  readonly advantages: number[];
  readonly response_mask: number[][];
}

interface PeerLoss {
  readonly peer: string;
  readonly batch: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly loss: number;
  readonly grad_log_probs: number[][];
}

const FILE = new URL("../golden/peers/losses-and-advantages.json", import.meta.url);
const peers = JSON.parse(readFileSync(FILE, "utf8")) as {
  batches: PeerBatch[];
  losses: PeerLoss[];
};
const TOLERANCE = { rtol: 1e-12, atol: 1e-14 };

/** Both as [rows] arguments of one layout. */
function rowsOf(batch: PeerBatch) {
  return {
    shape: [batch.advantages.length, batch.log_probs[0]?.length ?? 0] as const,
    responseMask: batch.response_mask.flat(),
    oldLogProbs: batch.old_log_probs.flat(),
    rolloutLogProbs: batch.rollout_log_probs.flat(),
  };
}

interface Clip {
  readonly low: number;
  readonly high: number;
  readonly dual: number;
}

/** Σ weight · PPO clip and its slope in the log-probs, by the textbook. */
function surrogate(batch: PeerBatch, weights: ArrayLike<number>, clip: Clip) {
  const advantages = batch.log_probs.flatMap((row, s) => row.map(() => batch.advantages[s] ?? 0));
  const old = batch.old_log_probs.flat();
  let loss = 0;
  const gradient = batch.log_probs.flat().map((logProb, row) => {
    const [A, weight] = [advantages[row] as number, weights[row] as number];
    const ratio = Math.exp(logProb - (old[row] as number));
    const clipped = Math.min(Math.max(ratio, 1 - clip.low), 1 + clip.high);
    const value = Math.max(-A * ratio, -A * clipped);
    const dual = A < 0 && value > -A * clip.dual;
    loss += weight * (dual ? -A * clip.dual : value);
    return !dual && -A * ratio >= -A * clipped ? -weight * A * ratio : 0;
  });
  return { loss, gradient };
}

const named = (key: string) => peers.losses.filter(({ options }) => key in options);

for (const [peer, key, max] of [
  ["TRL", "importance_sampling_ratio", 3],
  ["verl", "rollout_is_weights", 2],
] as const) {
  test(`${peer}'s losses with truncated token weights`, (t) => {
    const losses = named(key);
    t.is(losses.length, 4);
    for (const { batch: index, loss, grad_log_probs } of losses) {
      const batch = peers.batches[index] as PeerBatch;
      const rows = rowsOf(batch);
      const { weights } = rolloutWeights({ ...rows, max });
      const tokens = rows.responseMask.reduce((sum, bit) => sum + bit, 0);
      const clip = { low: 0.2, high: 0.28, dual: peer === "verl" ? 3 : Infinity };
      const ours = surrogate(
        batch,
        weights.map((weight) => weight / tokens),
        clip,
      );
      assertClose(t, `loss ${index}`, ours.loss, loss, TOLERANCE);
      assertClose(t, `gradient ${index}`, ours.gradient, grad_log_probs.flat(), TOLERANCE);
    }
  });
}

// All of their sequences are within the threshold; what is dropped is tested in off-policy-mask.test.ts.
test("TRL's losses with the off-policy sequence mask", (t) => {
  const losses = named("off_policy_mask_threshold");
  t.is(losses.length, 4);
  for (const { batch: index, options, loss, grad_log_probs } of losses) {
    const batch = peers.batches[index] as PeerBatch;
    const { rolloutLogProbs: samplerLogProbs, oldLogProbs: _, ...rows } = rowsOf(batch);
    const keep = offPolicyMask({
      ...rows,
      samplerLogProbs,
      logProbs: batch.log_probs.flat(),
      advantages: batch.advantages,
      threshold: options.off_policy_mask_threshold as number,
    });
    const [sequences, width] = rows.shape;
    const lengths = batch.response_mask.map((row) => row.reduce((sum, bit) => sum + bit, 0));
    const weights = Array.from(keep, (bit, row) => {
      const length = lengths[Math.floor(row / width)] as number;
      return bit / (sequences * Math.max(length, 1));
    });
    const ours = surrogate(batch, weights, { low: 0.2, high: 0.2, dual: Infinity });
    assertClose(t, `loss ${index}`, ours.loss, loss, TOLERANCE);
    assertClose(t, `gradient ${index}`, ours.gradient, grad_log_probs.flat(), TOLERANCE);
  }
});
