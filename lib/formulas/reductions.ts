/** The reductions: the weight of a token, and the counts that it is made of. */
import type { Reduction } from "../functional/row-weights.js";
import { type Formula, formulas } from "./formula.js";

/** How one number per token becomes one number. */
export interface ReductionFormula extends Formula<Reduction> {
  /** The weight of a counted token of sequence s, which is its gradient too. */
  readonly formula: string;
  /** Keys of `denominators` that replace what a call counts itself. */
  readonly denominators: readonly ("tokens" | "sequences" | "sequenceTokens" | "maxLength")[];
}

const SLOPE = "the weight itself";

/** Every reduction, by its name. */
export const REDUCTION_FORMULAS: Readonly<Record<Reduction, ReductionFormula>> = formulas<
  Reduction,
  Omit<ReductionFormula, "name">
>({
  "token-mean": {
    summary: "Every token counts the same (DAPO, BNPO)",
    formula: "1 / (tokens + ε)",
    gradient: SLOPE,
    source: "DAPO, arXiv 2503.14476; PAPO, arXiv 2507.06448, Eq. 3",
    denominators: ["tokens"],
    peers: [
      "PAPO authors: loss_avg_mode token",
      "TRL, Liger: loss_type bnpo (own tokens), dapo (tokens of the whole batch)",
      "verl: token-mean",
    ],
    findings: [
      "Means of micro-batch means are no token mean: the authors and bnpo weigh a token by the length of its micro-batch's other answers.",
      "TRL's num_items_in_batch ignores tool and truncation masks (issue 6369) and is off where steps_per_generation differs from the accumulation steps (issue 6024).",
    ],
  },
  "seq-mean-token-mean": {
    summary: "Every sequence counts the same (GRPO)",
    formula: "1 / (sequences · (tokens of s + ε))",
    gradient: SLOPE,
    source: "GRPO: DeepSeekMath, arXiv 2402.03300; PAPO, arXiv 2507.06448, Eq. 2",
    denominators: ["sequences", "sequenceTokens"],
    peers: [
      "PAPO authors: loss_avg_mode seq",
      "TRL, Liger: loss_type grpo, sapo",
      "verl: seq-mean-token-mean",
    ],
    findings: [
      "An empty sequence is one of those divided by in TRL and in the authors' code, not in verl: emptySequences says which.",
      "The paper's PAPO-G is this mean (Eq. 2), its code a token mean.",
    ],
  },
  "seq-mean-token-sum": {
    summary: "Sums of the sequences, averaged (LUSPO: length times mean)",
    formula: "1 / sequences",
    gradient: SLOPE,
    source: "LUSPO as TRL has it, grpo_trainer.py:3143",
    denominators: ["sequences"],
    peers: ["TRL, Liger: loss_type luspo", "verl: seq-mean-token-sum"],
    findings: [
      "Liger's Triton luspo divides by the padded length as well, its chunked one does not (ops/grpo_loss.py:582, 909); TRL's averages over padding too (grpo_trainer.py:3143).",
    ],
  },
  "seq-mean-token-sum-norm": {
    summary: "Sums over a constant length (Dr. GRPO): no bias by length",
    formula: "1 / (sequences · maxLength)",
    gradient: SLOPE,
    source: "Dr. GRPO: arXiv 2503.20783",
    denominators: ["sequences", "maxLength"],
    peers: [
      "TRL, Liger: loss_type dr_grpo (max_completion_length)",
      "verl: seq-mean-token-sum-norm",
    ],
    findings: [
      "verl forgets the division by sequences and by workers (core_algos.py:1075-1079; issues 3741, 5366).",
      "Without maxLength the longest sequence of the call is taken: give the constant.",
    ],
  },
  sum: {
    summary: "The plain sum: the caller divides",
    formula: "1",
    gradient: SLOPE,
    source: "no publication",
    denominators: [],
    peers: [],
    findings: [],
  },
});
