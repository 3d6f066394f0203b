/** What an objective costs beside the fused one: every surrogate composed, and one of a user's own. */
import { describeSurrogates } from "../../lib/index.js";
import { caseOf, type PartPlan, type Scope } from "../plan.js";

const FUSED = "ppo-clip, fused";

export function objectives({ quick, threads }: Scope): PartPlan {
  const composed = describeSurrogates().map(({ kind }) => ({
    contender: `objective ${kind}`,
    label: kind === "ppo-clip" ? "ppo-clip, composed" : kind,
  }));
  const cases = [
    { contender: "papo", label: FUSED },
    ...composed,
    { contender: "papo-composed", label: "ppo-clip, public functions" },
    { contender: "custom-objective", label: "custom objective" },
  ].map((one) =>
    caseOf({
      ...one,
      name: one.label,
      ...(one.label !== FUSED && { relativeTo: FUSED }),
      operation: "gradients",
      rows: quick ? 16 : 256,
      vocab: 32_000,
      threads,
    }),
  );
  return {
    name: "objectives",
    title: "Any objective beside the fused one",
    cases,
    rounds: 11,
    absent: {},
  };
}
