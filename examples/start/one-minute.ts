/** The settings of `npm start`: an arm of the experiment, or any preset of papo, in about a minute on two cores. */
import { type PresetId, preset } from "../../lib/index.js";
import { ARMS, type ArmConfig } from "../experiment/plan.js";
import { configWith, DEFAULT_CONFIG, type RunConfig } from "../trainer/config.js";

/**
 * What differs from the experiment, so that a run takes a minute: half the width, fewer batches and steps, and higher learning
 * rates, which teach more in little time.
 */
export const ONE_MINUTE: Pick<
  RunConfig,
  "policy" | "batches" | "learningRate" | "coldStart" | "evaluation"
> = {
  policy: { width: 32, layers: 2, heads: 4 },
  batches: 120,
  learningRate: { peak: 2e-3, warmUp: 10, final: 0.1 },
  coldStart: {
    steps: 300,
    examples: 64,
    learningRate: { peak: 8e-3, warmUp: 20, final: 0.1 },
  },
  evaluation: { every: 20, problems: 160, samples: 8 },
};

/** The main arms of the experiment. */
export const ARM_NAMES: readonly string[] = ARMS.filter(({ group }) => group === "main").map(
  ({ id }) => id,
);

/** What can be said on the command line. */
export interface Choices {
  /** One of `ARM_NAMES`, or a preset of papo. */
  readonly preset: string;
  readonly seed: number;
  readonly batches: number;
  readonly coldStartSteps: number;
}

/** @throws Error for a name that is neither, and for settings that no run can have */
export function oneMinute({ preset: name, seed, batches, coldStartSteps }: Choices): RunConfig {
  const short = configWith(ONE_MINUTE, { ...armNamed(name), seed });
  return configWith({ batches, coldStart: { steps: coldStartSteps } }, short);
}

/** A name of an arm is taken as one first: "dapo" is the arm with dynamic sampling, as the experiment has it. */
function armNamed(name: string): ArmConfig {
  const arm = ARMS.find(({ id }) => id === name && ARM_NAMES.includes(id));
  if (arm) return arm.config;
  // Throws for what is no preset, with the names of all.
  preset(name as PresetId);
  // The bound on the perception KL is the arms'; a preset without that term has no use for it.
  const changes = { exactKlLimit: 1 };
  return {
    ...DEFAULT_CONFIG,
    objective: { preset: name as PresetId, form: "corrected", changes, later: null },
  };
}
