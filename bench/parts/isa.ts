/** Every instruction set that the engine and this machine share. */
import type { InputDType } from "../cases.js";
import { caseOf, oneAndAll, type PartPlan, type Scope } from "../plan.js";

export function isa(scope: Scope): PartPlan {
  const dtypes: readonly InputDType[] = scope.quick ? ["float32"] : ["float32", "bfloat16"];
  const [best] = scope.isas;
  const cases = scope.isas.flatMap((isa) =>
    dtypes.flatMap((dtype) =>
      (["forward", "gradients"] as const).flatMap((operation) =>
        (scope.quick ? [1] : oneAndAll(scope)).map((threads) =>
          caseOf({
            name: `${isa} ${dtype} ${operation} ${threads}`,
            operation,
            isa,
            dtype,
            ...(isa !== best && { relativeTo: `${best} ${dtype} ${operation} ${threads}` }),
            rows: scope.quick ? 4 : 128,
            vocab: scope.vocab,
            threads,
          }),
        ),
      ),
    ),
  );
  return { name: "isa", title: "Instruction sets", cases, rounds: 5, absent: {} };
}
