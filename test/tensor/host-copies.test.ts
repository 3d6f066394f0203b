/** Copies and zeros between parts of larger buffers, whose rows lie apart: every element its place, nothing else touched. */
import test from "ava";
import { tensor } from "../../lib/tensor/create.js";
import { fillZero } from "../../lib/tensor/gradient.js";

const OUTSIDE = 7;

/** Two rows of three in the middle of an array of sevens. */
function within(begin: number, rowPitch: number) {
  const all = new Float32Array(20).fill(OUTSIDE);
  const data = all.subarray(begin, begin + rowPitch + 3);
  return { all, view: tensor(data, { shape: [2, 3], rowPitch }) };
}

const placed = (begin: number, rowPitch: number, values: readonly number[]) =>
  Float32Array.from({ length: 20 }, (_, i) => {
    const [row, column] = [Math.floor((i - begin) / rowPitch), (i - begin) % rowPitch];
    const isInside = i >= begin && row < 2 && column < 3;
    return isInside ? (values[row * 3 + column] as number) : OUTSIDE;
  });

test("a copy goes from where one tensor's rows lie to where the other's do", (t) => {
  const values = [1, 2, 3, 4, 5, 6];
  for (const [begin, rowPitch, to, toPitch] of [
    [2, 3, 5, 3],
    [2, 5, 3, 3],
    [4, 3, 1, 6],
    [1, 4, 6, 7],
  ] as const) {
    const [from, out] = [within(begin, rowPitch), within(to, toPitch)];
    from.all.set(placed(begin, rowPitch, values));
    from.view.to("cpu", { out: out.view });
    t.deepEqual(out.all, placed(to, toPitch, values), `${begin} ${rowPitch} ${to} ${toPitch}`);
    t.deepEqual(from.all, placed(begin, rowPitch, values));
  }
});

test("zeros are put where the tensor's rows lie", (t) => {
  for (const [begin, rowPitch] of [
    [0, 3],
    [5, 3],
    [3, 8],
  ] as const) {
    const { all, view } = within(begin, rowPitch);
    fillZero("test", "view", view);
    t.deepEqual(all, placed(begin, rowPitch, [0, 0, 0, 0, 0, 0]));
  }
  const { all, view } = within(3, 8);
  fillZero("test", "view", view, Int32Array.of(0, 1));
  t.deepEqual(all, placed(3, 8, [OUTSIDE, OUTSIDE, OUTSIDE, 0, 0, 0]));
});
