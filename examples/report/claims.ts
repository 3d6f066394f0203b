/** The claims that are differences between two arms: the paper's, with its own numbers, and what was asked beyond it. */
import { ABLATION_BASE, SHORT_GRPO } from "./arms.js";
import { excess, final, lostWithoutImage, type Measure, meanHeight } from "./measures.js";
import { signed } from "./numbers.js";
import { PAPER_GAINS, type PapoArm, paperRow } from "./paper.js";

/** A claim about `arm − base`. */
export interface Comparison {
  readonly claim: string;
  readonly source: string;
  readonly arm: string;
  readonly base: string;
  /** What the difference should be; absent where the paper does not say. */
  readonly expected?: "above" | "below" | "none";
  /** A fraction; final accuracy unless another is named. */
  readonly measure?: Measure;
  /** What the numbers are of. */
  readonly of?: string;
}

type Of = readonly [table: string, method: string];

/** "+2.0 at 3B, +2.9 at 7B": the paper's overall differences between two rows, where it has both. */
function paperGains([table, arm]: Of, [baseTable, base]: Of): string {
  const gains = (["3B", "7B"] as const).flatMap((model) => {
    const [first, second] = [paperRow(table, model, arm), paperRow(baseTable, model, base)];
    return first && second ? [`${signed(first.overall - second.overall)} at ${model}`] : [];
  });
  return gains.join(", ");
}

/** The same for two rows of one table. */
function gains(table: string, arm: string, base: string): string {
  return paperGains([table, arm], [table, base]);
}

/** "PAPO-G gains more where …: +5.6 % against +3.4 % at 3B", in the paper's relative gains. */
function gapClaim(arm: PapoArm, name: string): string {
  const gaps = (["3B", "7B"] as const).map((model) => {
    const { vision, general } = PAPER_GAINS[arm][model];
    return `${signed(vision)}\u00a0% against ${signed(general)}\u00a0% at ${model}`;
  });
  return `${name} gains relatively more where the image is needed: ${gaps.join(", ")}`;
}

const MORE_IN_VISION = {
  measure: excess(final("vision"), final("text")),
  of: "accuracy on vision-dependent less text-aided questions",
} as const;
const EARLY = {
  measure: meanHeight("overall"),
  of: "mean accuracy over the learning curve",
} as const;

export const MAIN_CLAIMS: readonly Comparison[] = [
  {
    claim: `PAPO-G is better than GRPO: ${gains("Table 1", "papo-g", "grpo")}`,
    source: "Table 1",
    arm: "papo-g",
    base: "grpo",
    expected: "above",
  },
  {
    claim: `PAPO-D is better than DAPO: ${gains("Table 1", "papo-d", "dapo")}`,
    source: "Table 1",
    arm: "papo-d",
    base: "dapo",
    expected: "above",
  },
  {
    claim: gapClaim("papo-g", "PAPO-G"),
    source: "Table 1",
    arm: "papo-g",
    base: "grpo",
    expected: "above",
    ...MORE_IN_VISION,
  },
  {
    claim: gapClaim("papo-d", "PAPO-D"),
    source: "Table 1",
    arm: "papo-d",
    base: "dapo",
    expected: "above",
    ...MORE_IN_VISION,
  },
  {
    claim: "PAPO-G learns faster from the early steps on",
    source: "§5.1, Figure 4",
    arm: "papo-g",
    base: "grpo",
    expected: "above",
    ...EARLY,
  },
  {
    claim: "PAPO-D learns faster from the early steps on",
    source: "§5.1, Figure 4",
    arm: "papo-d",
    base: "dapo",
    expected: "above",
    ...EARLY,
  },
];

const ABLATIONS: readonly Comparison[] = [
  {
    claim: `Up to 0.02 a larger γ is better: 0.02 against 0.005 ${gains("Table 4", "γ 0.02", "γ 0.005")}`,
    source: "Table 4",
    arm: ABLATION_BASE,
    base: "gamma-0.005",
    expected: "above",
  },
  {
    claim: `γ of 0.04 is too much, even with both entropies: ${gains("Table 4", "γ 0.04", "γ 0.02")} against 0.02`,
    source: "Table 4, §5.2",
    arm: "gamma-0.04",
    base: ABLATION_BASE,
    expected: "below",
  },
  {
    claim: `Masking 0.6 is better than 0.4: ${gains("Table 3", "random 0.6", "random 0.4")}`,
    source: "Table 3",
    arm: ABLATION_BASE,
    base: "mask-ratio-0.4",
    expected: "above",
  },
  {
    claim: `Masking all of the image is worse than 0.6: ${gains("Table 3", "random 1.0", "random 0.6")}`,
    source: "Table 3",
    arm: "mask-ratio-1.0",
    base: ABLATION_BASE,
    expected: "below",
  },
  {
    claim: `Masking by saliency is worse than at random: ${gains("Table 3", "semantic 0.6", "random 0.6")}`,
    source: "Table 3",
    arm: "mask-saliency",
    base: ABLATION_BASE,
    expected: "below",
  },
  {
    claim: `Without a reference KL, PAPO-G is still better than GRPO with it: ${paperGains(["Table 8", "PAPO-G, no reference KL"], ["Table 1", "grpo"])}`,
    source: "Table 8",
    arm: "no-ref-kl",
    base: SHORT_GRPO,
    expected: "above",
  },
  {
    claim: `Both entropies are better than that of the policy alone: ${gains("Table 5", "double entropy", "single entropy")}`,
    source: "Table 5",
    arm: ABLATION_BASE,
    base: "entropy-policy-only",
    expected: "above",
  },
  {
    claim: "A gradient through the masked branch makes no significant difference",
    source: "the authors' README, no numbers",
    arm: "masked-branch-constant",
    base: ABLATION_BASE,
    expected: "none",
  },
];

const BEYOND: readonly Comparison[] = [
  {
    claim: "Does PAPO-G lose more accuracy than GRPO when the image goes?",
    source: "",
    arm: "papo-g",
    base: "grpo",
    measure: lostWithoutImage("vision"),
    of: "accuracy on vision-dependent questions lost with the image",
  },
  {
    claim: "Are entropies of the sampled token as good as exact ones?",
    source: "",
    arm: "entropy-sampled",
    base: ABLATION_BASE,
  },
  {
    claim: "Is the formula of the authors' code as good as the corrected one?",
    source: "",
    arm: "form-authors",
    base: ABLATION_BASE,
  },
  {
    claim: "Does a bound of 10 nats do as well as one of 1 nat?",
    source: "",
    arm: "exact-limit-10",
    base: ABLATION_BASE,
  },
];

/** Of the ablations, and beyond the paper. */
export const OTHER_CLAIMS: readonly Comparison[] = [...ABLATIONS, ...BEYOND];
