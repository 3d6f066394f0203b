/** What a formula is, as data: for the page of objectives, for `papo info --json`, and for whoever shows a spec. */

/** Plain text throughout; notation as in docs/objectives.md. */
export interface Formula<N extends string = string> {
  /** Its name in a spec, or of the function that has it. */
  readonly name: N;
  /** In a line. */
  readonly summary: string;
  /** Value of a token, as a formula in plain text. */
  readonly formula: string;
  /** d value / d log-prob of the sampled token, if nothing else is said. */
  readonly gradient: string;
  /** Paper and equation, or the code it was read from. */
  readonly source: string;
  /** Who else has it, under which name or option. */
  readonly peers: readonly string[];
  /** What is wrong or different elsewhere, and what to beware of here. */
  readonly findings: readonly string[];
}

/** Formulas by their names, which are in them too; frozen. */
export function formulas<N extends string, F extends Omit<Formula, "name">>(
  table: Readonly<Record<N, F>>,
): Readonly<Record<N, F & { readonly name: N }>> {
  const named = Object.entries<F>(table).map(([name, formula]) => [name, { name, ...formula }]);
  return frozen(Object.fromEntries(named));
}

/** The value, and all that it holds, frozen. */
function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === "object") frozen(inner as object);
  return Object.freeze(value);
}
