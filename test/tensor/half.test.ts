/** float16 and bfloat16: exact values, rounding to nearest even, and the ends of their ranges. */
import test from "ava";
import fc from "fast-check";
import { Float16ArrayConstructor } from "../../lib/core/dtype.js";
import {
  fromBfloat16,
  fromFloat16,
  toBfloat16,
  toFloat16,
  toFloat16Bits,
} from "../../lib/tensor/half.js";

const everyWord = Uint16Array.from({ length: 65536 }, (_, i) => i);

test("every float16 comes back from float32 as it was", (t) => {
  const values = fromFloat16(everyWord);
  const back = toFloat16Bits(values);
  t.true(everyWord.every((bits, i) => back[i] === bits || Number.isNaN(values[i])));
  t.is(values.filter(Number.isNaN).length, 2 * 1023);
});

test("every bfloat16 comes back from float32 as it was", (t) => {
  const values = fromBfloat16(everyWord);
  const back = toBfloat16(values);
  t.true(everyWord.every((bits, i) => back[i] === bits || Number.isNaN(values[i])));
  const words = new Uint32Array(Float32Array.from(values).buffer);
  t.true(
    everyWord.every((bits, i) => (words[i] as number) >>> 16 === bits || Number.isNaN(values[i])),
  );
});

test("float16 rounds ties to even, and what is past the largest to Infinity", (t) => {
  const cases: [number, number][] = [
    [1, 0x3c00],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -30, 0x3c01],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [-65520, 0xfc00],
    [Infinity, 0x7c00],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [3 * 2 ** -26, 0x0001],
    [-0, 0x8000],
    [2 ** -14 - 2 ** -26, 0x0400],
    [5e-324, 0],
  ];
  for (const [value, bits] of cases) t.is(toFloat16Bits([value])[0], bits, String(value));
});

test("bfloat16 rounds ties to even, and what is past the largest to Infinity", (t) => {
  const cases: [number, number][] = [
    [1, 0x3f80],
    [1 + 2 ** -8, 0x3f80],
    [1 + 3 * 2 ** -8, 0x3f82],
    [1 + 2 ** -8 + 2 ** -30, 0x3f81],
    [3.3895313892515355e38, 0x7f7f],
    [3.4e38, 0x7f80],
    [-Infinity, 0xff80],
    [2 ** -133, 0x0001],
    [2 ** -134, 0x0000],
    [-0, 0x8000],
    [1e300, 0x7f80],
  ];
  for (const [value, bits] of cases) t.is(toBfloat16([value])[0], bits, String(value));
});

test("a NaN stays a NaN in both formats", (t) => {
  t.true(Number.isNaN(fromFloat16(toFloat16Bits([Number.NaN]))[0]));
  t.true(Number.isNaN(fromBfloat16(toBfloat16([Number.NaN]))[0]));
});

test("plain numbers are rounded once, not through float32", (t) => {
  // Half-way between two float16 values but for a bit that float32 would drop.
  t.is(toFloat16Bits([1 + 2 ** -11 + 2 ** -40])[0], 0x3c01);
  t.is(toBfloat16([1 + 2 ** -8 + 2 ** -40])[0], 0x3f81);
});

test("rounding takes one of the two neighbours, the nearer one", (t) => {
  const nearest = (to: (x: number[]) => Uint16Array, from: (x: Uint16Array) => Float32Array) =>
    fc.property(fc.float({ min: -60000, max: 60000, noNaN: true }), (x) => {
      const bits = to([x])[0] as number;
      const [below, value, above] = from(Uint16Array.of(bits - 1, bits, bits + 1));
      const error = Math.abs((value as number) - x);
      return [below, above].every((other) => !(Math.abs((other as number) - x) < error));
    });
  t.notThrows(() => fc.assert(nearest(toFloat16Bits, fromFloat16)));
  t.notThrows(() => fc.assert(nearest(toBfloat16, fromBfloat16)));
});

test("toFloat16 gives the runtime's own array where there is one", (t) => {
  const values = [0.1, -65504, 2 ** -24];
  const array = toFloat16(values);
  t.is(array.constructor, Float16ArrayConstructor ?? Uint16Array);
  t.deepEqual(fromFloat16(array), fromFloat16(toFloat16Bits(values)));
});
