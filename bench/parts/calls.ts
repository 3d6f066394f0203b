/** What a call costs from JavaScript to the kernels and back, where there is next to nothing to compute. */
import { caseOf, type PartPlan, type Scope } from "../plan.js";

const STEPS = [
  { contender: "call-tensors", label: "two tensors over arrays" },
  { contender: "call-op", label: "the op token_stats" },
  { contender: "call-token-stats", label: "tokenStats" },
  { contender: "call-bound", label: "BoundEvaluation.run" },
  {
    contender: "call-bound",
    name: "call-bound-gradients",
    label: "BoundEvaluation.run, both gradients",
    operation: "gradients",
  },
  { contender: "call-bound-async", label: "BoundEvaluation.runAsync", mode: "async" },
  { contender: "call-evaluate", label: "Objective.evaluate" },
  { contender: "call-evaluate-async", label: "Objective.evaluateAsync", mode: "async" },
] as const;

export function calls({ quick, threads }: Scope): PartPlan {
  const cases = (quick ? [32] : [32, 1024]).flatMap((vocab) =>
    STEPS.map((step) =>
      caseOf({
        operation: "forward",
        ...step,
        name: `${"name" in step ? step.name : step.contender} ${vocab}`,
        ...(step.contender !== "call-op" && { relativeTo: `call-op ${vocab}` }),
        rows: 1,
        vocab,
        threads,
      }),
    ),
  );
  return { name: "calls", title: "Cost of a call", cases, rounds: 11, absent: {} };
}
