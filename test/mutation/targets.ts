/** What is mutated, and by which tests it should be found out. */
import { filesBelow } from "../structure/files.js";

/** The objective's arithmetic: every formula that a loss, a gradient, an advantage or a weight goes through. */
const SOURCES: readonly RegExp[] = [
  /^native\/math\/\w+\.hpp$/,
  /^native\/ops\/token_objective\.cpp$/,
  /^lib\/(advantages|objective|reference|rollout|selection|surrogates)\/.+\.ts$/,
  /^lib\/functional\/(kl|layout|reduce|row-weights|sequences|surrogate|token-terms)\.ts$/,
  /^lib\/ops\/(pointwise|reduce-tokens|token-objective)\.ts$/,
];

const ROOMS =
  /^test\/(advantages|autograd|functional|objective|ops|peers|reference|rollout|selection|surrogates)\/.+\.test\.ts$/;

/** Processes of their own, or seconds of large vocabularies: what these see, a faster test sees too. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "test/objective/padding.test.ts",
  "test/objective/zeroed-memory.test.ts",
  "test/ops/accuracy.test.ts",
  "test/ops/errors.test.ts",
]);

export function sources(): string[] {
  return [...filesBelow("native/"), ...filesBelow("lib/")].filter((path) =>
    SOURCES.some((pattern) => pattern.test(path)),
  );
}

export function tests(): string[] {
  return filesBelow("test/").filter((path) => ROOMS.test(path) && !LEFT_OUT.has(path));
}
