/** Which arms the report compares, what it calls them, and which row of the paper is beside each. */
import { type PaperModel, type PaperRow, paperRow } from "./paper.js";

/** Colours are names of the page's palette; what adds PAPO to a baseline has its colour, drawn through. */
export interface MainArm {
  readonly id: string;
  readonly name: string;
  readonly colour: "blue" | "orange";
  readonly dashed: boolean;
}

export const MAIN_ARMS: readonly MainArm[] = [
  { id: "grpo", name: "GRPO", colour: "blue", dashed: true },
  { id: "papo-g", name: "PAPO-G", colour: "blue", dashed: false },
  { id: "dapo", name: "DAPO", colour: "orange", dashed: true },
  { id: "papo-d", name: "PAPO-D", colour: "orange", dashed: false },
];

/** What PAPO adds: arm less baseline. */
export const PAIRS = [
  { arm: "papo-g", base: "grpo", name: "PAPO-G − GRPO", colour: "blue" },
  { arm: "papo-d", base: "dapo", name: "PAPO-D − DAPO", colour: "orange" },
] as const;

type PaperRows = Readonly<Partial<Record<PaperModel, PaperRow | undefined>>>;

export interface AblationArm {
  readonly id: string;
  readonly label: string;
  /** The paper's closest settings, by model. */
  readonly paper?: PaperRows;
}

export interface Ablation {
  readonly id: string;
  readonly title: string;
  /** What is varied and what the paper's numbers are. */
  readonly note: string;
  /** Arm that the others are compared with. */
  readonly base: string;
  readonly arms: readonly AblationArm[];
  readonly models: readonly PaperModel[];
  /** Whether the arms are along one number, and drawn so. */
  readonly along?: true;
}

/** How sentences call an arm. */
export function nameOf(id: string): string {
  if (id === ABLATION_BASE) return "PAPO-G";
  if (id === SHORT_GRPO) return "GRPO";
  return MAIN_ARMS.find((arm) => arm.id === id)?.name ?? id;
}

/** PAPO-G and GRPO over the length of the ablations. */
export const ABLATION_BASE = "papo-g-short";
export const SHORT_GRPO = "grpo-short";

const PAPER_ONLY = "The paper has no such comparison.";

export const ABLATIONS: readonly Ablation[] = [
  {
    id: "gamma",
    title: "Coefficient of the perception KL",
    note: "γ of PAPO-G. Paper: Table 4, Qwen2.5-VL-3B, without entropy terms up to 0.02.",
    base: ABLATION_BASE,
    models: ["3B"],
    along: true,
    arms: [
      { id: SHORT_GRPO, label: "0 (GRPO)", paper: { "3B": paperRow("Table 4", "3B", "grpo") } },
      gamma("gamma-0.005", "0.005"),
      gamma("gamma-0.01", "0.01"),
      gamma(ABLATION_BASE, "0.02"),
      gamma("gamma-0.04", "0.04"),
      { id: "gamma-0.08", label: "0.08" },
      { id: "gamma-0.32", label: "0.32" },
    ],
  },
  {
    id: "mask-ratio",
    title: "Share of the image that is masked",
    note: "Random patches. Paper: Table 3, 3B, where γ is 0.01.",
    base: ABLATION_BASE,
    models: ["3B"],
    along: true,
    arms: [
      masked("mask-ratio-0.4", "0.4", "random 0.4"),
      masked(ABLATION_BASE, "0.6", "random 0.6"),
      masked("mask-ratio-0.8", "0.8", "random 0.8"),
      masked("mask-ratio-1.0", "1.0 (all black)", "random 1.0"),
    ],
  },
  {
    id: "mask-strategy",
    title: "Which patches are masked",
    note: "A share of 0.6: at random, or those that matter most. Paper: Table 3 (by DINOv2's attention).",
    base: ABLATION_BASE,
    models: ["3B", "7B"],
    arms: [
      masked(ABLATION_BASE, "random", "random 0.6", true),
      masked("mask-saliency", "by saliency", "semantic 0.6", true),
    ],
  },
  {
    id: "reference-kl",
    title: "Reference KL",
    note: "Paper: with it Table 1, without it Table 8 (γ 0.01, both entropies 0.03).",
    base: ABLATION_BASE,
    models: ["3B", "7B"],
    arms: [
      { id: ABLATION_BASE, label: "with", paper: both("Table 1", "papo-g") },
      { id: "no-ref-kl", label: "without", paper: both("Table 8", "PAPO-G, no reference KL") },
    ],
  },
  {
    id: "entropies",
    title: "Entropy terms",
    note: "On the policy, on the masked policy, on both, exact or of the sampled token. Paper: Table 5, 7B, sampled.",
    base: ABLATION_BASE,
    models: ["7B"],
    arms: [
      { id: "entropy-none", label: "none" },
      regularised("entropy-policy-only", "policy", "single entropy"),
      { id: "entropy-masked-only", label: "masked policy" },
      regularised(ABLATION_BASE, "both, exact", "double entropy"),
      regularised("entropy-sampled", "both, sampled", "double entropy"),
    ],
  },
  {
    id: "masked-branch",
    title: "Gradient through the masked branch",
    note: "The authors' code has none by default; their README says that it makes no significant difference, without numbers.",
    base: ABLATION_BASE,
    models: [],
    arms: [
      { id: ABLATION_BASE, label: "differentiable" },
      { id: "masked-branch-constant", label: "constant" },
    ],
  },
  {
    id: "form",
    title: "The corrected formula, or that of the authors' code",
    note: `Exact KL and entropies, or k3 and sampled ones with a constant masked branch. ${PAPER_ONLY}`,
    base: ABLATION_BASE,
    models: [],
    arms: [
      { id: ABLATION_BASE, label: "corrected" },
      { id: "form-authors", label: "the authors'" },
    ],
  },
  {
    id: "bound",
    title: "Bound on the maximised KL",
    note: `Per token, in nats. ${PAPER_ONLY}`,
    base: ABLATION_BASE,
    models: [],
    arms: [
      { id: ABLATION_BASE, label: "1 nat" },
      { id: "exact-limit-10", label: "10 nats" },
    ],
  },
];

/** The collapse: γ far too high, no bound; and what is put against it. */
export const COLLAPSES = [
  { id: "collapse-none", label: "nothing" },
  { id: "collapse-policy-entropy", label: "entropy of the policy" },
  { id: "collapse-masked-entropy", label: "entropy of the masked policy" },
  { id: "collapse-double-entropy", label: "both entropies" },
  { id: "collapse-double-entropy-0.2", label: "both entropies, η = 0.2" },
  { id: "collapse-ref-kl", label: "reference KL" },
  { id: "collapse-limit", label: "bound on the KL" },
  { id: "collapse-backoff", label: "γ backs off at the monitor's alarm" },
  { id: "constant-none", label: "masked branch constant: nothing" },
  { id: "constant-policy-entropy", label: "masked branch constant: entropy of the policy" },
  { id: "constant-policy-entropy-0.2", label: "masked branch constant: entropy, η = 0.2" },
  { id: "constant-ref-kl", label: "masked branch constant: reference KL" },
  { id: "constant-limit", label: "masked branch constant: bound on the KL" },
  { id: "constant-backoff", label: "masked branch constant: γ backs off" },
] as const;

/** Every arm that some part of the report shows. */
export const SHOWN_ARMS: readonly string[] = [
  ...new Set(
    [...MAIN_ARMS, ...ABLATIONS.flatMap(({ arms }) => arms), ...COLLAPSES].map(({ id }) => id),
  ),
];

function gamma(id: string, label: string): AblationArm {
  return { id, label, paper: { "3B": paperRow("Table 4", "3B", `γ ${label}`) } };
}

function masked(id: string, label: string, method: string, withLarge = false): AblationArm {
  const small = paperRow("Table 3", "3B", method);
  const paper = withLarge
    ? { "3B": small, "7B": paperRow("Table 3", "7B", method) }
    : { "3B": small };
  return { id, label, paper };
}

function both(table: string, method: string): PaperRows {
  return { "3B": paperRow(table, "3B", method), "7B": paperRow(table, "7B", method) };
}

function regularised(id: string, label: string, method: string): AblationArm {
  return { id, label, paper: { "7B": paperRow("Table 5", "7B", method) } };
}
