/** The differences that gradients are held against, on functions with known gradients. */
import test from "ava";
import { finiteDifference } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";

test("a quartic's gradient is exact to rounding", (t) => {
  const f = ([x, y]: Float64Array): number => x! ** 4 - 2 * x! * y! ** 3;
  const at = [0.5, -1.5];
  const expected = [4 * 0.5 ** 3 - 2 * (-1.5) ** 3, -6 * 0.5 * 1.5 ** 2];
  assertClose(t, "gradient", finiteDifference(f, at), expected, { rtol: 1e-11, atol: 0 });
});

test("an exponential's gradient is good to 1e-11", (t) => {
  const f = ([x]: Float64Array): number => Math.exp(x!);
  assertClose(t, "gradient", finiteDifference(f, [1]), [Math.E], { rtol: 1e-11, atol: 0 });
});

test("a wrong gradient of one part in a hundred million is noticed", (t) => {
  const gradient = finiteDifference(([x]) => Math.sin(x!), [0.3]);
  t.notThrows(() =>
    assertClose(t, "right", gradient, [Math.cos(0.3)], TOLERANCES.finiteDifference),
  );
  let noticed = false;
  const listener = { true: (ok: unknown) => (noticed = ok !== true) };
  const wrong = [Math.cos(0.3) * (1 + 1e-8)];
  assertClose(listener, "wrong", gradient, wrong, TOLERANCES.finiteDifference);
  t.true(noticed);
});

test("only the elements asked for are differentiated, and the point is not moved", (t) => {
  const at = Float64Array.of(1, 2, 3);
  const gradient = finiteDifference((x) => x[0]! * x[1]! * x[2]!, at, { elements: [1] });
  assertClose(t, "gradient", gradient, [0, 3, 0], { rtol: 1e-12, atol: 0 });
  t.deepEqual([...at], [1, 2, 3]);
});

test("a step of 0 or Infinity is refused", (t) => {
  for (const step of [0, Infinity]) {
    t.throws(() => finiteDifference(() => 0, [1], { step }), { code: "ERR_RANGE" });
  }
});

test("elements that the point does not have are refused", (t) => {
  for (const element of [-1, 2, 0.5]) {
    const options = { elements: [0, element] };
    t.throws(() => finiteDifference(() => 0, [1, 2], options), { code: "ERR_RANGE" });
  }
});
