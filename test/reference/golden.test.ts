/** The reference against the golden files: losses, terms, metrics, gradients, per-token statistics. */
import test from "ava";
import { type PapoLoss, papoLoss } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { GOLDEN_NAMES, type GoldenCase, loadGolden } from "../support/golden.js";
import { TOLERANCES } from "../support/tolerances.js";

function evaluate({ spec, rows, vocabSize, ...batch }: GoldenCase): PapoLoss {
  return papoLoss({
    ...spec,
    rows,
    vocabSize,
    sequences: batch.sequences,
    cuSeqlens: batch.cuSeqlens,
    logits: batch.logits,
    maskedLogits: batch.maskedLogits,
    tokenIds: batch.tokenIds,
    oldLogProbs: batch.oldLogProbs,
    refLogProbs: batch.refLogProbs,
    advantages: batch.advantages,
    responseMask: batch.responseMask,
  });
}

/** Everything a golden file may expect, by its name there. */
function quantities({ loss, terms, metrics, tokens, ...result }: PapoLoss) {
  return {
    loss: [loss],
    surrogate: [terms.surrogate],
    ref_kl: [terms.refKl],
    perception_kl: [terms.perceptionKl],
    entropy: [terms.entropy],
    masked_entropy: [terms.maskedEntropy],
    clip_fraction_low: [metrics.clipFractionLow],
    clip_fraction_high: [metrics.clipFractionHigh],
    clip_fraction_dual: [metrics.clipFractionDual],
    approx_kl: [metrics.approxKl],
    grad_logits: result.gradLogits,
    grad_masked_logits: result.gradMaskedLogits ?? [],
    "tokens.log_probs": tokens.logProbs,
    "tokens.masked_log_probs": tokens.maskedLogProbs,
    "tokens.entropy": tokens.entropy,
    "tokens.masked_entropy": tokens.maskedEntropy,
    "tokens.kl": tokens.kl,
  };
}

test("there are golden cases of every shape, distribution and dtype", (t) => {
  for (const part of ["tiny", "odd", "plain", "near", "far", "bf16", "f16", "packed"]) {
    t.true(
      GOLDEN_NAMES.some((name) => name.includes(part)),
      part,
    );
  }
});

for (const name of GOLDEN_NAMES) {
  test(`the reference gives the golden numbers of ${name}`, async (t) => {
    const golden = await loadGolden(name);
    const actual: Record<string, ArrayLike<number>> = quantities(evaluate(golden));
    for (const [quantity, expected] of golden.expected) {
      const options = quantity.startsWith("tokens.") ? { elements: golden.counted } : {};
      const numbers = actual[quantity] ?? [];
      assertClose(t, quantity, numbers, expected, TOLERANCES.reference, options);
    }
    t.true(golden.expected.size >= 15, "the file expects something");
  });
}

test("a golden number changed by a little more than the rule allows is noticed", async (t) => {
  const golden = await loadGolden("odd-plain-papo_exact");
  const { loss } = evaluate(golden);
  const changed = loss * (1 + 1.01e-5) + 2.1e-8 * Math.sign(loss);
  const verdicts: boolean[] = [];
  const listener = { true: (ok: unknown) => verdicts.push(ok === true) };
  assertClose(listener, "loss", loss, golden.expected.get("loss")!, TOLERANCES.golden);
  assertClose(listener, "loss", changed, golden.expected.get("loss")!, TOLERANCES.golden);
  t.deepEqual(verdicts, [true, false]);
});
