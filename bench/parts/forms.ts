/** Every form of an evaluation: dtype, what is asked for, where gradients go, one thread and all. */
import type { InputDType } from "../cases.js";
import { type Case, caseOf, oneAndAll, type PartPlan, type Scope } from "../plan.js";

const DTYPES: readonly InputDType[] = ["float32", "float16", "bfloat16"];

const FORMS: readonly Pick<Case, "name" | "operation" | "outputs">[] = [
  { name: "log-probs", operation: "log-probs", outputs: "none" },
  { name: "forward", operation: "forward", outputs: "none" },
  { name: "gradients", operation: "gradients", outputs: "given" },
  {
    name: "in-place",
    operation: "gradients",
    outputs: "in place",
  },
];

export function forms(scope: Scope): PartPlan {
  const rows = scope.quick ? 16 : 512;
  const cases = DTYPES.flatMap((dtype) =>
    FORMS.flatMap((form) =>
      oneAndAll(scope).map((threads) =>
        caseOf({
          ...form,
          name: `${dtype} ${form.name} ${threads}`,
          ...(form.name === "in-place" && { relativeTo: `${dtype} gradients ${threads}` }),
          dtype,
          rows,
          vocab: scope.vocab,
          threads,
        }),
      ),
    ),
  );
  return {
    name: "forms",
    title: "Share of the machine's limit, by dtype, operation and threads",
    cases,
    rounds: 15,
    absent: {},
  };
}
