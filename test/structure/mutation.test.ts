/** The mutants of `npm run mutate`, whose run takes long: what they are, and that the switch turns one on at a time. */
import test from "ava";
import { nativeMutants } from "../mutation/native-mutants.js";
import { MutantSwitch } from "../mutation/switch.js";
import { typescriptMutants } from "../mutation/typescript-mutants.js";

/** What a TypeScript expression gives with each of its mutants on, none first. */
function valuesOf(expression: string, variables: Readonly<Record<string, number>>): unknown[] {
  const { source, mutants } = typescriptMutants("x.ts", `(${expression});`, 0);
  return [-1, ...mutants.map(({ id }) => id)].map((active) => {
    const body = new Function("$m", ...Object.keys(variables), `return ${source}`);
    return body((id: number) => id === active, ...Object.values(variables));
  });
}

test("operators, numbers, signs and functions have mutants, each of which changes the value alone", (t) => {
  t.deepEqual(valuesOf("a + b * 2", { a: 5, b: 3 }), [11, -1, 6.5, 14]);
  t.deepEqual(valuesOf("a < b", { a: 1, b: 1 }), [false, true, true]);
  t.deepEqual(valuesOf("a > 0 ? -a : 0.25", { a: 3 }), [-3, -3, 0.25, -3, 3, -3]);
  t.deepEqual(valuesOf("Math.max(a, b)", { a: 1, b: 2 }), [2, 1]);
});

test("what only speaks has none", (t) => {
  for (const silent of [
    "import { a } from './a.js';",
    "interface A { readonly one: 1 }",
    "throw new Error(String(a + 1));",
    "const b = a === undefined;",
  ]) {
    const { source, mutants } = typescriptMutants("x.ts", silent, 0);
    t.deepEqual([source, mutants.length], [silent, 0]);
  }
});

test("mutants alike on lines alike have names of their own", (t) => {
  const { mutants } = typescriptMutants("x.ts", "f(0, 1, 1);\nf(0, 1, 1);", 0);
  t.deepEqual(
    mutants.map(({ line, change }) => `${line}: ${change}`),
    ["1: 0 → 1", "1: 1 → 2", "1: 1 → 2 (2)", "2: 0 → 1 (2)", "2: 1 → 2 (3)", "2: 1 → 2 (4)"],
  );
});

test("no mutant only makes a walk go beyond its end", (t) => {
  const walk = "for (let s = 0; s + 1 < n; s++) sum += s;";
  const { mutants } = typescriptMutants("x.ts", walk, 0);
  t.deepEqual(
    mutants.map(({ change }) => change),
    ["0 → 1", "s + 1 < n → s + 1 >= n", "1 → 2", "sum += s → sum -= s"],
  );
});

test("a mutant that asks the switch on and on is stopped, and one that is off never", async (t) => {
  const mutants = new MutantSwitch(2);
  const { $m } = globalThis as unknown as { $m: (id: number) => boolean };
  mutants.activate(1);
  const endless = async () => {
    try {
      while (!$m(0));
    } catch {
      // As a test may that expects an error.
    }
  };
  t.true(await mutants.exceeds(1000, endless));
  t.false(await mutants.exceeds(1000, async () => void $m(1)));
  const { reached, steps } = await mutants.passageOf(async () => {
    for (let i = 0; i < 5000; i++) $m(1);
  });
  t.deepEqual([reached, steps], [[1], 5000]);
});

test("native operators stand behind the switch, numbers before it, and what is constant is left alone", (t) => {
  const { source, mutants } = nativeMutants(
    "x.hpp",
    "  const double y = -a * (b + 2);\ninline constexpr int kTwo = 1 + 1;\n  if (a <= 0) return {};",
    7,
  );
  t.deepEqual(source.split("\n").slice(1), [
    "  const double y = papo_mutant::Sign<7>{}->*a * papo_mutant::Operator<8>{} * (b + papo_mutant::Operator<9>{} + papo_mutant::number<10>(2, 3));",
    "inline constexpr int kTwo = 1 + 1;",
    "  if (a <= papo_mutant::Operator<11>{} <= papo_mutant::number<13>(0, 1)) return {};",
  ]);
  t.is(mutants.length, 7);
});
