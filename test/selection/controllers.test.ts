/** Adaptive coefficients: the published rules step by step, and their state through JSON. */
import test from "ava";
import { AdaptiveEntropy, AdaptiveKl } from "../../lib/selection/controllers.js";
import { assertClose } from "../support/close.js";

const TOLERANCE = { rtol: 1e-14, atol: 0 };

test("the entropy bonus rises at or below the target, falls above it, and is off there", (t) => {
  const controller = new AdaptiveEntropy();
  t.is(controller.coefficient, 0);
  t.is(controller.update(0.1), 0.005);
  t.is(controller.update(0.2), 0.01);
  assertClose(t, "sign", controller.entropyCoef, -0.01, TOLERANCE);
  t.is(controller.update(0.21), 0, "not in force above the target");
  t.is(controller.entropyCoef, 0);
  t.is(controller.state().coefficient, 0.005, "but remembered");
  t.is(controller.update(0), 0.01);
});

test("the entropy coefficient stays within its bounds", (t) => {
  const controller = new AdaptiveEntropy({ delta: 0.4, min: 0.1, max: 0.6, target: 1 });
  t.deepEqual(
    [0, 0, 0].map((entropy) => controller.update(entropy)),
    [0.5, 0.6, 0.6],
  );
  for (let i = 0; i < 3; i++) controller.update(2);
  t.is(controller.state().coefficient, 0.1);
  t.is(new AdaptiveEntropy({ coefficient: 0.3 }).update(0), 0.305);
  t.is(new AdaptiveEntropy({ coefficient: 0.3 }).coefficient, 0, "before the first entropy");
});

test("the KL coefficient moves by the clipped relative error", (t) => {
  const controller = new AdaptiveKl({ coefficient: 0.2, target: 6, horizon: 1000 });
  assertClose(t, "inside", controller.update(6.6, 100), 0.2 * 1.01, TOLERANCE);
  assertClose(t, "above", controller.update(60, 100), 0.2 * 1.01 * 1.02, TOLERANCE);
  assertClose(t, "below", controller.update(0, 500), 0.2 * 1.01 * 1.02 * 0.9, TOLERANCE);
  t.is(new AdaptiveKl({ coefficient: 0.2, target: 6 }).horizon, 10_000);
  const before = controller.coefficient;
  t.is(controller.update(6, 100), before);
  t.is(controller.update(-3, 0), before);
});

test("state goes through JSON and on where it was", (t) => {
  const entropy = new AdaptiveEntropy({ delta: 0.1, target: 0.3 });
  entropy.update(0.2);
  const again = AdaptiveEntropy.fromState(JSON.parse(JSON.stringify(entropy)));
  t.deepEqual(again.state(), entropy.state());
  t.is(again.update(0.2), entropy.update(0.2));
  const kl = new AdaptiveKl({ coefficient: 0.1, target: 1 });
  kl.update(3, 64);
  const other = AdaptiveKl.fromState(JSON.parse(JSON.stringify(kl)));
  t.deepEqual(other.state(), kl.state());
  t.is(other.update(0.5, 8), kl.update(0.5, 8));
});
