/** What a part of the suite is before it is run: its cases, and how often they are measured. */
import type { Distribution } from "./cases.js";
import type { Row } from "./result.js";

/** One row of the result before it is measured. */
export interface Case
  extends Pick<
    Row,
    | "name"
    | "label"
    | "contender"
    | "operation"
    | "rows"
    | "vocab"
    | "dtype"
    | "threads"
    | "outputs"
    | "padding"
    | "mode"
  > {
  readonly distribution: Distribution;
  /** The engine's best if absent. */
  readonly isa?: string;
  /**
   * Cases of one group are measured together, then their processes end; cases without take part in every group on as
   * many threads. For contenders that do not fit into memory all at once.
   */
  readonly group?: string;
  readonly note?: string;
  /** Name of the case of the part that this one is to be compared with. */
  readonly relativeTo?: string;
}

export interface PartPlan {
  readonly name: string;
  readonly title: string;
  readonly cases: readonly Case[];
  readonly rounds: number;
  /** Contenders that do not take part, with the reason. */
  readonly absent: Readonly<Record<string, string>>;
}

/** What every part is planned for. */
export interface Scope {
  /** Small sizes, to try the suite itself. */
  readonly quick: boolean;
  /** Columns, where a part is not about them. */
  readonly vocab: number;
  /** All that papo would use: those of the machine, or `PAPO_NUM_THREADS`. */
  readonly threads: number;
  /** The engine's instruction sets on this machine, best first. */
  readonly isas: readonly string[];
  /** Peers whose name contains this take part; all where it is absent. */
  readonly only?: string | undefined;
  /** Bytes that a part may use. */
  readonly memory: number;
}

/** Fills in what most cases have in common. */
export function caseOf(
  given: Pick<Case, "name" | "operation" | "rows" | "vocab" | "threads"> & Partial<Case>,
): Case {
  return {
    contender: "papo",
    label: "papo",
    dtype: "float32",
    outputs: given.operation === "gradients" ? "given" : "none",
    padding: 0,
    mode: "sync",
    distribution: "plain",
    ...given,
  };
}

/** 1 and all threads, or only 1 where that is all. */
export function oneAndAll({ threads }: Scope): readonly number[] {
  return threads === 1 ? [1] : [1, threads];
}
