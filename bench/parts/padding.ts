/** Rows that do not count: their zero writes, and nothing where the memory is zero already. */
import { type Case, caseOf, type PartPlan, type Scope } from "../plan.js";

const PADDINGS = [0, 0.3, 0.7];

const KINDS: readonly Pick<Case, "name" | "operation" | "outputs">[] = [
  { name: "forward", operation: "forward", outputs: "none" },
  { name: "gradients", operation: "gradients", outputs: "given" },
  {
    name: "gradients-zeroed",
    operation: "gradients",
    outputs: "given, zeroed",
  },
];

export function padding({ quick, vocab, threads }: Scope): PartPlan {
  const cases = PADDINGS.flatMap((share) =>
    KINDS.map((kind) =>
      caseOf({
        ...kind,
        name: `${kind.name} ${share}`,
        rows: quick ? 20 : 500,
        vocab,
        threads,
        padding: share,
        ...(share > 0 && { relativeTo: `${kind.name} 0` }),
      }),
    ),
  );
  return { name: "padding", title: "Rows that do not count", cases, rounds: 11, absent: {} };
}
