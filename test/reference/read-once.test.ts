/** Options of the reference as they were at the first look. */
import test from "ava";
import { readOnce } from "../../lib/reference/read-once.js";

const WHERE = "test";

/** Gives 0, 1, 2, ... */
const counting = () => {
  let reads = 0;
  return () => reads++;
};

test("a property and an element are read once, at the first look", (t) => {
  const array = Object.defineProperty([7], 0, { get: counting() });
  const given = Object.defineProperty({ array, inner: { array } }, "n", { get: counting() });
  const options = readOnce(WHERE, given as typeof given & { n: number });
  t.deepEqual([options.n, options.n], [0, 0]);
  t.is(options.array, options.array);
  t.deepEqual([options.array[0], options.array[0]], [0, 0]);
  t.is(options.inner.array[0], 1, "another place is another look");
});

test("they can be spread, asked for keys and defaults, and inherit", (t) => {
  const options = readOnce(WHERE, Object.assign(Object.create({ b: 2 }), { a: 1 }) as never);
  const { a, b, c = 3 } = options as Record<string, number>;
  t.deepEqual([a, b, c], [1, 2, 3]);
  t.deepEqual({ ...(options as object) }, { a: 1 });
  t.deepEqual(Object.keys(options), ["a"]);
  t.deepEqual(["a" in options, "c" in options], [true, false]);
});

test("frozen options and typed arrays are as good as any", (t) => {
  const typed = Float64Array.of(1);
  const options = readOnce(WHERE, Object.freeze({ list: Object.freeze([1]), typed }));
  t.deepEqual([...options.list], [1]);
  t.is(options.typed, typed);
});

test("what is no object is refused", (t) => {
  t.throws(() => readOnce(WHERE, null as never), { code: "ERR_ARGUMENT" });
});

test("arrays in an array stay as they are, however deep they go; objects in one are read once", (t) => {
  const endless: unknown[] = [];
  endless.push(endless, Object.defineProperty({}, "n", { get: counting() }));
  const { list } = readOnce(WHERE, { list: endless as [unknown, { n: number }] });
  t.is(list[0], endless);
  t.deepEqual([list[1].n, list[1].n], [0, 0]);
});
