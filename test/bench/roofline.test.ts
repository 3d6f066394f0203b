/** The loops of the roofline do what they are timed for. */
import test from "ava";
import { implausible, RooflineMeter } from "../../bench/roofline/roofline.js";
import { info } from "../../lib/index.js";

const LENGTH = 100_000;
const { isas } = info();

for (const isa of isas) {
  test(`on ${isa}, reading adds up everything, copying copies it, on any number of threads`, (t) => {
    for (const threads of [1, 3]) {
      const meter = new RooflineMeter([isa], LENGTH);
      const [first, second, firstOut, secondOut] = meter.arrays as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      for (const loop of ["read", "readBoth"] as const) {
        const { bytes, sum, seconds } = meter.move(loop, threads);
        t.is(sum, bytes / 4, "a one for each number");
        t.true(bytes > 8 * LENGTH * 0.99 && seconds > 0);
      }
      first.fill(2);
      second.fill(3);
      for (const loop of ["copy", "streamingCopy", "twoByTwo"] as const) {
        firstOut.fill(0);
        secondOut.fill(0);
        const { bytes } = meter.move(loop, threads);
        const copied = (array: Float32Array, value: number) =>
          array.filter((x) => x === value).length;
        t.is(copied(firstOut, 2), bytes / 8, loop);
        t.is(copied(secondOut, 3), bytes / 8, loop);
      }
      meter.move("update", threads);
      t.is(firstOut.filter((x) => x === -2).length, secondOut.filter((x) => x === -3).length);
      t.true(firstOut.includes(-2));
      meter.move("write", threads);
      t.true(firstOut.includes(1) && secondOut.includes(1));
    }
  });
}

test("what is measured is plausible, and nonsense is not", (t) => {
  const limits = new RooflineMeter(isas, 2 ** 20).measure(1);
  t.is(implausible(limits), undefined);
  t.regex(implausible({ ...limits, read: limits.copy / 100 }) ?? "", /copying/);
  t.regex(implausible({ ...limits, read: Number.NaN }) ?? "", /positive/);
});
