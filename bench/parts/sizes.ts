/** Cost against the vocabulary, against rows, and against threads. */
import { VOCAB } from "../cases.js";
import { type Case, caseOf, type PartPlan, type Scope } from "../plan.js";

/** Of Llama 2, Llama 3, Qwen2.5-VL-3B and Qwen2.5-VL-7B. */
const VOCABS = [32_000, 128_256, VOCAB, 152_064];
const ROWS = [1, 4, 16, 64, 256, 1024, 4096];

type Kind = Pick<Case, "operation" | "outputs" | "name">;
const FORWARD: Kind = { name: "forward", operation: "forward", outputs: "none" };
const GRADIENTS: Kind = {
  name: "gradients",
  operation: "gradients",
  outputs: "given",
};
const IN_PLACE: Kind = {
  name: "in-place",
  operation: "gradients",
  outputs: "in place",
};

export function vocab({ quick, threads }: Scope): PartPlan {
  const cases = (quick ? [4_000, 32_000] : VOCABS).flatMap((vocab) =>
    [FORWARD, GRADIENTS].map((kind) =>
      caseOf({
        ...kind,
        name: `${kind.name} ${vocab}`,
        rows: quick ? 16 : 512,
        vocab,
        threads,
      }),
    ),
  );
  return {
    name: "vocab",
    title: "Cost against the vocabulary",
    cases,
    rounds: 11,
    absent: {},
  };
}

export function rows({ quick, vocab, threads, memory }: Scope): PartPlan {
  const wanted = quick ? [1, 16] : ROWS;
  const note = (count: number) => {
    const fits = fitting(count, memory);
    return fits < count ? `${count} rows do not fit into the memory that is free` : undefined;
  };
  const cases = wanted.flatMap((count) =>
    [FORWARD, GRADIENTS].map((kind) => {
      const said = note(count);
      return caseOf({
        ...kind,
        name: `${kind.name} ${count}`,
        rows: fitting(count, memory),
        vocab,
        threads,
        ...(said !== undefined && { note: said }),
      });
    }),
  );
  return { name: "rows", title: "Cost against rows", cases, rounds: 7, absent: {} };
}

/** So many rows, or half as often as it takes to fit both logits and both gradients into the memory. */
function fitting(count: number, memory: number): number {
  const fits = 4 * 4 * count * VOCAB <= 0.8 * memory;
  return fits || count === 1 ? count : fitting(count / 2, memory);
}

export function threads({ quick, vocab, threads: most }: Scope): PartPlan {
  const cases = threadCounts(most).flatMap((count) =>
    [FORWARD, GRADIENTS, IN_PLACE].map((kind) =>
      caseOf({
        ...kind,
        name: `${kind.name} ${count}`,
        rows: quick ? 16 : 256,
        vocab,
        threads: count,
      }),
    ),
  );
  return {
    name: "threads",
    title: "Cost against threads",
    cases,
    rounds: 11,
    absent: {},
  };
}

/** All of a few; of many, powers of two and the most. */
function threadCounts(most: number): readonly number[] {
  const all = Array.from({ length: most }, (_, i) => i + 1);
  return most <= 4 ? all : all.filter((n) => n === most || Number.isInteger(Math.log2(n)));
}
