/** Bad input at every public door while logits lie on a device: a result, a PapoError, or what the caller's own code threw. */
import test from "ava";
import fc from "fast-check";
import { Tensor, tokenStats, zeros } from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { CANDIDATES, errorOf } from "../support/hostile.js";
import { spoil, WAYS } from "../support/spoil.js";
import { TOLERANCES } from "../support/tolerances.js";
import { CALLS, type Fields } from "../support/valid-calls.js";
import { DEVICE } from "./devices.js";

const RUNS = 60;

/** The same fields with their matrices on the device. */
function moved(fields: Fields): Fields {
  const entries = Object.entries(fields).map(([name, value]) => {
    if (!(value instanceof Tensor) || value.columns === 1) return [name, value];
    const there = value.to(DEVICE);
    there.requiresGrad = value.requiresGrad;
    return [name, there];
  });
  return Object.fromEntries(entries);
}

for (const [name, [call, valid]] of Object.entries(CALLS)) {
  const tensors = Object.values(valid()).some((value) => value instanceof Tensor);
  if (!tensors || name.startsWith("reference")) continue;
  test(`${name} takes anything in any of its fields beside tensors on a device`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(valid()), "unknown"),
        fc.constantFrom(...WAYS),
        CANDIDATES,
        async (key, way, candidate) => {
          const fields = moved(valid());
          spoil(fields, key, way, candidate);
          await errorOf(() => call(fields));
        },
      ),
      { numRuns: RUNS, includeErrorInReport: true },
    );
    // Whatever happened, the engine and the device are as they were.
    const { logProbs } = tokenStats({
      logits: zeros([3, 4], { device: DEVICE }),
      tokenIds: [0, 1, 2],
    });
    const expected = new Float64Array(3).fill(-Math.log(4));
    assertClose(t, "logProbs", logProbs.data, expected, TOLERANCES.engineStatistics);
  });
}
