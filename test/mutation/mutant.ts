/** A change to one place of a source file, and the name by which a survivor is known. */

export interface Mutant {
  /** Active where the switch holds it; counted over all files of a run. */
  readonly id: number;
  /** From the repository's root. */
  readonly file: string;
  readonly line: number;
  /** The whole line, trimmed. */
  readonly text: string;
  /** Such as `a - b → a + b`. */
  readonly change: string;
}

/** What survives edits elsewhere in the file: no line number. */
export function nameOf({ file, text, change }: Mutant): string {
  return `${file}: ${text} | ${change}`;
}

/** A source with all of its mutants in it, each behind the switch. */
export interface Instrumented {
  readonly source: string;
  readonly mutants: readonly Mutant[];
}

/** What fits into one line of a report. */
export function brief(code: string): string {
  const line = code.replace(/\s+/g, " ").trim();
  return line.length <= 60 ? line : `${line.slice(0, 57)}...`;
}
