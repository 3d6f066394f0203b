/** Metrics of micro-batches as those of their step, against all tokens taken together. */
import test from "ava";
import fc from "fast-check";
import { mergeMetrics } from "../../lib/monitor/measurements.js";
import { assertClose } from "../support/close.js";

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

test("means and the variance of parts are those of all their tokens", (t) => {
  const values = fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 4 }), (parts) => {
      const records = parts.map((part) => ({
        tokens: part.length,
        perceptionKl: mean(part),
        perceptionKlVariance: mean(part.map((value) => (value - mean(part)) ** 2)),
        clipFraction: mean(part.map((value) => (value > 5 ? 1 : 0))),
      }));
      const all = parts.flat();
      const merged = mergeMetrics("test", records);
      const near = { rtol: 1e-12, atol: 1e-12 };
      assertClose(t, "mean", merged.perceptionKl ?? Number.NaN, mean(all), near);
      const variance = mean(all.map((value) => (value - mean(all)) ** 2));
      assertClose(t, "variance", merged.perceptionKlVariance ?? Number.NaN, variance, near);
      const clipped = mean(all.map((value) => (value > 5 ? 1 : 0)));
      assertClose(t, "clips", merged.clipFraction ?? Number.NaN, clipped, near);
      t.is(merged.tokens, all.length);
    }),
  );
});

test("one part is taken as it is, in a list or not, with or without its tokens", (t) => {
  const metrics = { perceptionKl: 0.1, entropy: 0.3 };
  t.deepEqual(mergeMetrics("test", metrics), metrics);
  t.deepEqual(mergeMetrics("test", [metrics]), metrics);
  t.deepEqual(mergeMetrics("test", [{ ...metrics, tokens: 3 }]), { ...metrics, tokens: 3 });
});

test("parts without tokens measured nothing, and a metric is that of the parts that have it", (t) => {
  t.deepEqual(mergeMetrics("test", { tokens: 0, perceptionKl: 0, clipFraction: 0 }), {});
  t.deepEqual(mergeMetrics("test", []), {});
  const merged = mergeMetrics("test", [
    { tokens: 0, entropy: 7 },
    { tokens: 1, entropy: 1 },
    { tokens: 3, entropy: 2, clipFraction: 0.5 },
  ]);
  t.deepEqual(merged, { tokens: 4, entropy: 1.75, clipFraction: 0.5 });
});

test("keys that are not read are ignored, whatever they hold", (t) => {
  t.deepEqual(mergeMetrics("test", { entropy: 1, gradShareSurrogate: "x", more: {} }), {
    entropy: 1,
  });
});
