/** Every form of an evaluation: dtype, what is asked for, where gradients go, one thread and all. */
import { type InputDType, VOCAB } from "../cases.js";
import { type Case, caseOf, oneAndAll, type PartPlan, type Scope, threadsLabel } from "../plan.js";

const DTYPES: readonly InputDType[] = ["float32", "float16", "bfloat16"];

const FORMS: readonly Pick<Case, "name" | "label" | "operation" | "outputs">[] = [
  { name: "log-probs", label: "log-probs only", operation: "log-probs", outputs: "none" },
  { name: "forward", label: "forward", operation: "forward", outputs: "none" },
  { name: "gradients", label: "forward + gradients", operation: "gradients", outputs: "given" },
  {
    name: "in-place",
    label: "forward + gradients, in place",
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
          label: `${form.label}, ${dtype}, ${threadsLabel(threads)}`,
          dtype,
          rows,
          vocab: VOCAB,
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
