/** What the paper reports: numbers of arXiv 2507.06448 v5 (14 April 2026), each with its table; all accuracies are avg@8 in percent. */

export const PAPER: { readonly name: string; readonly url: string } = {
  name: "arXiv 2507.06448 v5",
  url: "https://arxiv.org/abs/2507.06448v5",
};

/** Base models: Qwen2.5-VL with 3 and 7 billion parameters, Qwen3-VL (thinking) with 2. */
export type PaperModel = "2B" | "3B" | "7B";

/** One row of a table: averages over the general benchmarks, the vision-dependent ones, and all. */
export interface PaperRow {
  readonly table: string;
  readonly model: PaperModel;
  readonly method: string;
  readonly general: number;
  readonly vision: number;
  readonly overall: number;
  readonly collapsed?: true;
}

type Numbers = readonly [general: number, vision: number, overall: number];

function rows(table: string, model: PaperModel, methods: Record<string, Numbers>): PaperRow[] {
  return Object.entries(methods).map(([method, [general, vision, overall]]) => {
    const row = { table, model, method, general, vision, overall };
    // The paper's own word, in the row's label.
    return method.endsWith("(collapsed)") ? { ...row, collapsed: true } : row;
  });
}

const GRPO_3B: Numbers = [51.89, 42.97, 47.92];
const GRPO_7B: Numbers = [62.51, 54.11, 58.78];

export const PAPER_ROWS: readonly PaperRow[] = [
  ...rows("Table 1", "3B", {
    grpo: GRPO_3B,
    "papo-g": [53.39, 45.57, 49.92],
    dapo: [55.02, 49.11, 52.4],
    "papo-d": [57.09, 52.93, 55.24],
  }),
  ...rows("Table 1", "7B", {
    grpo: GRPO_7B,
    "papo-g": [63.5, 59.37, 61.66],
    dapo: [57.58, 51.79, 55.01],
    "papo-d": [65.83, 59.82, 63.16],
  }),
  ...rows("Table 1", "2B", { grpo: [49.13, 43.97, 46.84], "papo-g": [51.36, 46.73, 49.3] }),
  // At 3B the row "random 0.6" is the row "γ 0.01" of Table 4: this table was made with that coefficient.
  ...rows("Table 3", "3B", {
    "random 0.4": [52.51, 44.12, 48.78],
    "random 0.6": [52.53, 45.17, 49.26],
    "random 0.8": [52.57, 44.24, 48.87],
    "random 1.0": [52.13, 43.98, 48.51],
    "semantic 0.6": [52.13, 43.78, 48.42],
  }),
  ...rows("Table 3", "7B", {
    "random 0.6": [63.56, 57.49, 60.86],
    "semantic 0.6": [63.39, 56.83, 60.47],
  }),
  ...rows("Table 4", "3B", {
    grpo: GRPO_3B,
    "γ 0.005": [52.4, 43.73, 48.55],
    "γ 0.01": [52.53, 45.17, 49.26],
    "γ 0.02": [53.39, 45.57, 49.92],
    "γ 0.04 (collapsed)": [31.24, 38.31, 34.38],
  }),
  ...rows("Table 5", "7B", {
    "more reference KL": [63.14, 57.03, 60.42],
    "single entropy": [63.34, 58.36, 61.12],
    "double entropy": [63.5, 59.37, 61.66],
  }),
  ...rows("Table 8", "3B", {
    "GRPO, no reference KL": [53.96, 45.46, 50.18],
    "PAPO-G, no reference KL": [56.21, 49.33, 53.15],
  }),
  ...rows("Table 8", "7B", {
    "GRPO, no reference KL": [63.99, 57.94, 61.3],
    "PAPO-G, no reference KL": [63.31, 59.18, 61.47],
  }),
  ...rows("Table 10", "7B", { "DAPO + entropy loss": [64.77, 59.14, 62.27] }),
];

export type PapoArm = "papo-g" | "papo-d";

/** Table 1: gains over the baseline, in percent of it, averaged over the benchmarks of a group. */
export const PAPER_GAINS: Readonly<
  Record<
    PapoArm,
    Record<
      "3B" | "7B",
      { readonly general: number; readonly vision: number; readonly overall: number }
    >
  >
> = {
  "papo-g": {
    "3B": { general: 3.38, vision: 5.6, overall: 4.36 },
    "7B": { general: 1.53, vision: 7.96, overall: 4.39 },
  },
  "papo-d": {
    "3B": { general: 5.0, vision: 5.97, overall: 5.54 },
    "7B": { general: 15.61, vision: 19.09, overall: 17.54 },
  },
};

/** Table 11, 7B, γ 0.02: overall accuracy by the coefficient of both entropies. */
export const PAPER_ENTROPY_WEIGHTS: readonly {
  readonly weight: number;
  readonly overall: number;
  readonly collapsed: boolean;
}[] = [
  { weight: 0.01, overall: 59.35, collapsed: true },
  { weight: 0.03, overall: 61.09, collapsed: false },
  { weight: 0.05, overall: 61.66, collapsed: false },
];

/** Errors that people classified, §2.2 and Figure 1: 200 of GRPO-3B, on four benchmarks. */
export const PAPER_ERRORS = {
  /** Share of GRPO's errors that are of perception. */
  perceptionShare: 0.67,
  /** By how much PAPO-G lowers the number of perception errors. */
  reduction: 0.305,
} as const;

/** Appendix M: variance of the per-token perception KL of a collapsed 7B run (γ 0.02, no entropy), times the baseline's. */
export const PAPER_VARIANCE_FACTOR = 8.4;

/**
 * Early signs, §5.3: PAPO-G-7B with γ 0.01, stable, and with γ 0.02 without entropies, collapsed from about step 130 of
 * Figure 11 on. Read off the curves (the variance: Figure 13), so that one digit counts.
 */
export const PAPER_SIGNS: readonly {
  readonly name: "kl" | "perceptionKlVariance" | "clipFraction" | "entropy" | "maskedEntropy";
  readonly title: string;
  readonly stable: string;
  readonly collapsed: string;
}[] = [
  { name: "kl", title: "perception KL, nats", stable: "0.03 to 0.05", collapsed: "0.9" },
  { name: "perceptionKlVariance", title: "its variance", stable: "1.5", collapsed: "12.5" },
  { name: "clipFraction", title: "clip fraction", stable: "0.0005", collapsed: "0.0075" },
  { name: "entropy", title: "entropy, nats", stable: "0.2", collapsed: "0.4" },
  { name: "maskedEntropy", title: "masked entropy, nats", stable: "0.4", collapsed: "1.3 to 1.7" },
];

/** What the paper's text was searched for and does not give. */
export const NOT_IN_THE_PAPER: readonly string[] = [
  "intervals or repeated seeds: its tables have one number per setting",
  "its training curves as numbers (of Figure 11 what can be read off is in the table of early signs)",
  "accuracy with the image masked at the evaluation",
  "a score for the entropy of the masked policy alone (the text says that it only delays the collapse)",
  "γ above 0.04, a perception KL with a bound, exact entropies",
];

/** The row of a method, if that table has it. */
export function paperRow(table: string, model: PaperModel, method: string): PaperRow | undefined {
  return PAPER_ROWS.find(
    (row) =>
      row.table === table && row.model === model && row.method.replace(/ \(.*/, "") === method,
  );
}
