/** The mutants of `npm run mutate`, whose run takes long: what they are, and that the switch turns one on at a time. */
import test from "ava";
import { nativeMutants } from "../mutation/native-mutants.js";
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

test("a constant is known to be computed when its module is loaded", (t) => {
  const { mutants } = typescriptMutants("x.ts", "const limit = 20;\nconst f = () => 3;", 0);
  t.deepEqual(
    mutants.map(({ line, atLoad }) => [line, atLoad]),
    [
      [1, true],
      [2, false],
    ],
  );
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
