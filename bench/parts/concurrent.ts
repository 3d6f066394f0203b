/** Off the event loop, and two callers at once. */
import { caseOf, type PartPlan, type Scope } from "../plan.js";

const WAYS = [
  { contender: "papo", label: "evaluate", mode: "sync" },
  { contender: "papo-async", label: "evaluateAsync", mode: "async" },
  { contender: "papo-two-calls", label: "two evaluateAsync, half each", mode: "two callers" },
  { contender: "papo-two-workers", label: "two worker threads, half each", mode: "two callers" },
] as const;

export function concurrent({ quick, vocab, threads }: Scope): PartPlan {
  const cases = WAYS.map((way) =>
    caseOf({
      ...way,
      name: way.contender,
      operation: "gradients",
      rows: quick ? 16 : 512,
      vocab,
      threads,
      ...(way.contender !== "papo" && { relativeTo: "papo" }),
    }),
  );
  return { name: "concurrent", title: "Two callers at once", cases, rounds: 11, absent: {} };
}
