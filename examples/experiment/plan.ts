/** The plan of the experiment: its arms, what each changes, their seeds, and the order of the runs. */
import { DEFAULT_CONFIG, type RunConfig } from "../trainer/config.js";

/** What the arms of a group are for. */
export const GROUPS = ["main", "collapse", "ablation"] as const;
export type Group = (typeof GROUPS)[number];

/** A run's settings but for its seed. */
export type ArmConfig = Omit<RunConfig, "seed">;

/** One setting that is tried, on several seeds. */
export interface Arm {
  /** Unique; a folder of the results. */
  readonly id: string;
  /** For people. */
  readonly title: string;
  readonly group: Group;
  /** Arm that it is compared with; none for the first of a comparison. */
  readonly base?: string;
  readonly seeds: readonly number[];
  readonly config: ArmConfig;
}

/** One run: an arm on a seed. */
export interface PlannedRun {
  readonly arm: Arm;
  readonly seed: number;
  readonly config: RunConfig;
}

type Changes = RunConfig["objective"]["changes"];

/** Batches of all but the main arms: what 24 more arms cost on two cores would otherwise be hours. */
const SHORT = 140;

const MAIN_SEEDS = [1, 2, 3, 4, 5];
const OTHER_SEEDS = [1, 2, 3];

/**
 * Bound on the maximised perception KL, nats. Not knowing which of a few answers is right costs about one nat here; a
 * higher bound asks for more than ignorance. "exact-limit-10" has the published bound.
 */
const EXACT_LIMIT = 1;

/** GRPO of the paper, with the reduction of the corrected form, so that PAPO-G only adds terms to it. */
const GRPO = armConfig({
  objective: { preset: "grpo", form: "corrected", changes: {}, later: null },
});

/** PAPO-G at high γ as tuned for 7B: γ = 0.02, reference KL 0.01, both entropies 0.05. Base of the ablations. */
const PAPO_G = armConfig({
  objective: {
    preset: "papo-g-7b",
    form: "corrected",
    changes: { exactKlLimit: EXACT_LIMIT },
    later: null,
  },
});

const DAPO = armConfig({
  objective: { preset: "dapo", form: "corrected", changes: {}, later: null },
  dynamicSampling: true,
});

const PAPO_D = armConfig({
  objective: {
    preset: "papo-d-3b",
    form: "corrected",
    changes: { exactKlLimit: EXACT_LIMIT },
    later: null,
  },
  dynamicSampling: true,
});

const MAIN: readonly Arm[] = [
  main("grpo", "GRPO", GRPO),
  main("papo-g", "PAPO-G", PAPO_G, "grpo"),
  main("dapo", "DAPO", DAPO),
  main("papo-d", "PAPO-D", PAPO_D, "dapo"),
];

/** When γ of the collapse series comes, and how high: before it the runs have a healthy past to be compared with. */
const COLLAPSE_FROM = 51;
const COLLAPSE_GAMMA = 0.15;
/** With a constant masked branch 0.15 does no harm: there the KL can only grow by what the policy itself does. */
const CONSTANT_GAMMA = 0.6;

/** PAPO-G over the length of the ablations, which are compared with it. */
const SHORT_PAPO_G: ArmConfig = { ...PAPO_G, batches: SHORT };

/** PAPO-G made to collapse: γ high, no bound in reach, neither a reference KL nor entropy terms. */
const COLLAPSE: ArmConfig = armConfig({
  batches: SHORT,
  objective: {
    ...PAPO_G.objective,
    changes: {
      perceptionKlCoef: 0,
      exactKlLimit: 100,
      refKlCoef: 0,
      entropyCoef: 0,
      maskedEntropyCoef: 0,
    },
    later: { batch: COLLAPSE_FROM, coefficients: { perceptionKl: COLLAPSE_GAMMA } },
  },
});

/** The same with the gradient of the authors' code, which has the masked policy constant. */
const CONSTANT_COLLAPSE: ArmConfig = {
  ...COLLAPSE,
  objective: {
    ...COLLAPSE.objective,
    changes: { ...COLLAPSE.objective.changes, maskedBranch: "constant" },
    later: { batch: COLLAPSE_FROM, coefficients: { perceptionKl: CONSTANT_GAMMA } },
  },
};

/** Each puts one regulariser back, or has γ follow the monitor. */
const COLLAPSES: readonly Arm[] = [
  other("collapse", "collapse-none", "nothing against it", COLLAPSE),
  collapse("collapse-policy-entropy", "policy entropy", { entropyCoef: 0.05 }),
  collapse("collapse-masked-entropy", "masked entropy", { maskedEntropyCoef: 0.05 }),
  collapse("collapse-double-entropy", "double entropy", {
    entropyCoef: 0.05,
    maskedEntropyCoef: 0.05,
  }),
  collapse("collapse-double-entropy-0.2", "double entropy, four times as strong", {
    entropyCoef: 0.2,
    maskedEntropyCoef: 0.2,
  }),
  collapse("collapse-ref-kl", "reference KL", { refKlCoef: 0.01 }),
  collapse("collapse-limit", "bound of 1 nat", { exactKlLimit: EXACT_LIMIT }),
  backingOff("collapse-backoff", "γ backs off at the monitor's alarm", COLLAPSE, "collapse-none"),
  other(
    "collapse",
    "constant-none",
    "constant masked branch, nothing against it",
    CONSTANT_COLLAPSE,
  ),
  constant("constant-policy-entropy", "policy entropy", { entropyCoef: 0.05 }),
  constant("constant-policy-entropy-0.2", "policy entropy, four times as strong", {
    entropyCoef: 0.2,
  }),
  constant("constant-ref-kl", "reference KL", { refKlCoef: 0.01 }),
  constant("constant-limit", "bound of 1 nat", { exactKlLimit: EXACT_LIMIT }),
  backingOff(
    "constant-backoff",
    "constant masked branch, γ backs off at the monitor's alarm",
    CONSTANT_COLLAPSE,
    "constant-none",
  ),
];

const ABLATIONS: readonly Arm[] = [
  other("ablation", "grpo-short", "GRPO over the length of the ablations", {
    ...GRPO,
    batches: SHORT,
  }),
  other("ablation", "papo-g-short", "PAPO-G, the base of the ablations", SHORT_PAPO_G),
  ...[0.005, 0.01, 0.04, 0.08, 0.32].map((gamma) =>
    ablation(`gamma-${gamma}`, `γ = ${gamma}`, changed(SHORT_PAPO_G, { perceptionKlCoef: gamma })),
  ),
  ...[0.4, 0.8, 1].map((ratio) =>
    ablation(`mask-ratio-${ratio.toFixed(1)}`, `mask ratio ${ratio.toFixed(1)}`, {
      ...SHORT_PAPO_G,
      mask: { ...SHORT_PAPO_G.mask, ratio },
    }),
  ),
  ablation("mask-saliency", "mask by saliency", {
    ...SHORT_PAPO_G,
    mask: { ...SHORT_PAPO_G.mask, strategy: "saliency" },
  }),
  ablation("no-ref-kl", "no reference KL", changed(SHORT_PAPO_G, { refKlCoef: 0 })),
  ablation(
    "entropy-none",
    "no entropy term",
    changed(SHORT_PAPO_G, { entropyCoef: 0, maskedEntropyCoef: 0 }),
  ),
  ablation(
    "entropy-policy-only",
    "policy entropy only",
    changed(SHORT_PAPO_G, { maskedEntropyCoef: 0 }),
  ),
  ablation("entropy-masked-only", "masked entropy only", changed(SHORT_PAPO_G, { entropyCoef: 0 })),
  ablation(
    "entropy-sampled",
    "entropies sampled",
    changed(SHORT_PAPO_G, { entropyEstimator: "sampled" }),
  ),
  ablation(
    "masked-branch-constant",
    "masked branch constant",
    changed(SHORT_PAPO_G, { maskedBranch: "constant" }),
  ),
  // The bound on the exact KL stays in its settings but does nothing there: their KL is k3, with a bound of its own.
  ablation("form-authors", "the authors' form", {
    ...SHORT_PAPO_G,
    objective: { ...SHORT_PAPO_G.objective, form: "authors" },
  }),
  ablation(
    "exact-limit-10",
    "bound of 10 nats on the KL",
    changed(SHORT_PAPO_G, { exactKlLimit: 10 }),
  ),
];

/** All arms, in the order in which their groups run: what is interrupted is still of use. */
export const ARMS: readonly Arm[] = [...MAIN, ...COLLAPSES, ...ABLATIONS];

/**
 * Arms by patterns: a group's name, an arm's id, or an id with `*` for any characters.
 *
 * @throws Error for a pattern that fits nothing
 */
export function armsNamed(patterns: readonly string[], arms: readonly Arm[] = ARMS): Arm[] {
  const fits = (pattern: string) => {
    const parts = pattern.split("*").map((part) => part.replace(/[.\\^$+?()[\]{}|]/g, "\\$&"));
    const ids = new RegExp(`^${parts.join(".*")}$`);
    return (arm: Arm) => arm.group === pattern || ids.test(arm.id);
  };
  const unknown = patterns.find((pattern) => !arms.some(fits(pattern)));
  if (unknown !== undefined) {
    throw new Error(
      `no arm fits "${unknown}"; groups are ${GROUPS.join(", ")}, --list has the arms`,
    );
  }
  return arms.filter((arm) => patterns.some((pattern) => fits(pattern)(arm)));
}

/** Which part of the plan is asked for; what is absent is as planned. */
export interface Selection {
  readonly arms?: readonly Arm[] | undefined;
  /** In the place of every arm's own seeds. */
  readonly seeds?: readonly number[] | undefined;
  /** In the place of every run's own number of batches. */
  readonly batches?: number | undefined;
}

/** Runs in their order: by group, within it seed by seed, so that arms can be compared on the seeds that are done. */
export function runsOf({ arms = ARMS, seeds, batches }: Selection = {}): PlannedRun[] {
  return GROUPS.flatMap((group) => {
    const members = arms.filter((arm) => arm.group === group);
    const all = seeds ?? [...new Set(members.flatMap((arm) => arm.seeds))].sort((a, b) => a - b);
    return all.flatMap((seed) =>
      members
        .filter((arm) => seeds !== undefined || arm.seeds.includes(seed))
        .map((arm) => ({ arm, seed, config: configOf(arm, seed, batches) })),
    );
  });
}

function configOf({ config }: Arm, seed: number, batches = config.batches): RunConfig {
  return { seed, ...config, batches };
}

function armConfig(own: Pick<RunConfig, "objective"> & Partial<ArmConfig>): ArmConfig {
  const { seed: _seed, ...common } = DEFAULT_CONFIG;
  return {
    ...common,
    dynamicSampling: false,
    mask: { strategy: "random", ratio: 0.6 },
    ...own,
  };
}

function changed(config: ArmConfig, changes: Changes): ArmConfig {
  const { objective } = config;
  return {
    ...config,
    objective: { ...objective, changes: { ...objective.changes, ...changes } },
  };
}

function main(id: string, title: string, config: ArmConfig, base?: string): Arm {
  const own = { id, title, group: "main", seeds: MAIN_SEEDS, config } as const;
  return base === undefined ? own : { ...own, base };
}

function other(group: Group, id: string, title: string, config: ArmConfig): Arm {
  return { id, title, group, seeds: OTHER_SEEDS, config };
}

function collapse(id: string, title: string, changes: Changes): Arm {
  return { ...other("collapse", id, title, changed(COLLAPSE, changes)), base: "collapse-none" };
}

function constant(id: string, title: string, changes: Changes): Arm {
  const config = changed(CONSTANT_COLLAPSE, changes);
  return {
    ...other("collapse", id, `constant masked branch, ${title}`, config),
    base: "constant-none",
  };
}

function backingOff(id: string, title: string, config: ArmConfig, base: string): Arm {
  const objective = { ...config.objective, backoff: true } as const;
  return { ...other("collapse", id, title, { ...config, objective }), base };
}

function ablation(id: string, title: string, config: ArmConfig): Arm {
  return { ...other("ablation", id, title, config), base: "papo-g-short" };
}
