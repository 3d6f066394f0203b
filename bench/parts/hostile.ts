/** Logits that could make a softmax slow, beside plain ones. */
import { DISTRIBUTIONS } from "../cases.js";
import { caseOf, oneAndAll, type PartPlan, type Scope } from "../plan.js";

export function hostile(scope: Scope): PartPlan {
  const cases = DISTRIBUTIONS.flatMap((distribution) =>
    (["forward", "gradients"] as const).flatMap((operation) =>
      (scope.quick ? [1] : oneAndAll(scope)).map((threads) =>
        caseOf({
          name: `${distribution} ${operation} ${threads}`,
          operation,
          distribution,
          ...(distribution !== "plain" && { relativeTo: `plain ${operation} ${threads}` }),
          rows: scope.quick ? 16 : 128,
          vocab: scope.vocab,
          threads,
        }),
      ),
    ),
  );
  return { name: "hostile", title: "Hostile logits", cases, rounds: 7, absent: {} };
}
