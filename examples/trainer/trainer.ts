/** A run from the cold start to the last evaluation: reproducible, and resumable to the bit. */
import { availableParallelism, cpus } from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import type { Metrics } from "../../lib/index.js";
import { CollapseMonitor, type MonitorReport, PerceptionBackoff } from "../../lib/monitor/index.js";
import { Policy } from "../policy/index.js";
import type { Problem } from "../world/index.js";
import { exists } from "./checkpoint.js";
import { type ColdStartHooks, coldStart } from "./cold-start.js";
import { backoffOf, checkConfig, objectiveOf, type RunConfig } from "./config.js";
import { type Evaluation, evaluate, heldOutProblems } from "./evaluation.js";
import { Optimizer } from "./optimizer.js";
import { sampleBatch } from "./rollouts.js";
import {
  type LevelChange,
  loadRun,
  PHASES,
  type Phase,
  type RunState,
  saveRun,
} from "./run-state.js";
import {
  emptyColumns,
  recordOf,
  type StepColumns,
  type StepKey,
  type StepRecord,
} from "./steps.js";
import { type Update, updateOn } from "./update.js";

export interface TrainHooks extends ColdStartHooks {
  readonly onBatch?: ((batch: number, record: StepRecord) => void) | undefined;
  /** Batch 0 is after the cold start. */
  readonly onEvaluation?: ((batch: number, evaluation: Evaluation) => void) | undefined;
  /** Where the run is kept: written every `every` batches, at an abort and at the end; gone on from where it is there. */
  readonly checkpoint?: string | undefined;
  /** Batches between two checkpoints; 25. */
  readonly every?: number | undefined;
  /** An abort lets the batch end, writes the checkpoint and ends the run. During the cold start nothing is kept. */
  readonly signal?: AbortSignal | undefined;
}

/** All that a run has found out; plain JSON. */
export interface RunResult {
  readonly config: RunConfig;
  /** Trained values of the policy. */
  readonly size: number;
  /** When the run ended, ISO 8601. */
  readonly date: string;
  /** Of work, breaks not counted. */
  readonly seconds: number;
  /** The same by what it went into. */
  readonly time: Readonly<Record<Phase, number>>;
  readonly coldStart: Evaluation;
  readonly evaluations: readonly (Evaluation & { readonly batch: number })[];
  readonly steps: StepColumns;
  readonly monitor: readonly LevelChange[];
  readonly machine: { readonly node: string; readonly cpu: string; readonly cores: number };
}

/** A second call while the first is under way would not wait for it. */
let backend: Promise<boolean> | undefined;

/**
 * Trains one policy.
 *
 * @returns undefined where the signal ended it
 * @throws Error for a config or a checkpoint that does not fit, and where a gradient is not finite
 */
export async function train(
  config: RunConfig,
  hooks: TrainHooks = {},
): Promise<RunResult | undefined> {
  checkConfig(config);
  // Runs share the machine with each other, and their batches are small.
  process.env.PAPO_NUM_THREADS ??= "1";
  backend ??= tf.setBackend("wasm");
  await backend;
  const policy = new Policy(config.seed, config.policy);
  const reference = new Policy(config.seed, config.policy);
  try {
    return await new Run(config, hooks, policy, reference).toItsEnd();
  } finally {
    policy.dispose();
    reference.dispose();
  }
}

class Run {
  readonly #config: RunConfig;
  readonly #hooks: TrainHooks;
  readonly #policy: Policy;
  readonly #reference: Policy;
  readonly #heldOut: readonly Problem[];

  constructor(config: RunConfig, hooks: TrainHooks, policy: Policy, reference: Policy) {
    this.#config = config;
    this.#hooks = hooks;
    this.#policy = policy;
    this.#reference = reference;
    this.#heldOut = heldOutProblems(config.evaluation.problems);
  }

  async toItsEnd(): Promise<RunResult | undefined> {
    const [config, hooks, policy] = [this.#config, this.#hooks, this.#policy];
    const begun = await this.#begin();
    if (begun === undefined) return undefined;
    const { state, optimizer } = begun;
    const monitor = CollapseMonitor.fromState(state.monitor);
    const backoff = state.backoff && PerceptionBackoff.fromState(state.backoff);
    const objective = objectiveOf(config);
    const { spec } = objective;
    const hasReference =
      spec.refKlCoef !== 0 || (config.objective.later?.coefficients.refKl ?? 0) !== 0;
    const learner = {
      config,
      objective,
      policy,
      optimizer,
      reference: hasReference ? this.#reference : undefined,
      backoff,
    };
    const save = () =>
      timed(state, "checkpoint", async () => {
        state.monitor = monitor.state();
        if (backoff) state.backoff = backoff.state();
        await this.#save(state, optimizer);
      });
    while (state.batch < config.batches) {
      const batch = state.batch + 1;
      const sampled = await timed(state, "generation", () => sampleBatch(policy, config, batch));
      const updates = await timed(state, "update", () =>
        updateOn(learner, sampled.rollouts, batch),
      );
      const record = recordOf(sampled, updates, backoff !== undefined);
      for (const [key, column] of Object.entries(state.steps)) column.push(record[key as StepKey]);
      const report = watch(monitor, state.levels, batch, record, updates);
      backoff?.update(report);
      if (batch % config.evaluation.every === 0 || batch === config.batches) {
        state.evaluations.push({ batch, ...(await this.#evaluate(state, batch)) });
      }
      state.batch = batch;
      hooks.onBatch?.(batch, record);
      // A signal of the process arrives between two batches.
      await new Promise(setImmediate);
      const stop = hooks.signal?.aborted && batch < config.batches;
      if (stop || batch % (hooks.every ?? 25) === 0) await save();
      if (stop) return undefined;
    }
    await save();
    return this.#result(state);
  }

  /** The state at the last checkpoint, or after the cold start. */
  async #begin(): Promise<{ state: RunState; optimizer: Optimizer } | undefined> {
    const { checkpoint } = this.#hooks;
    if (checkpoint && (await exists(checkpoint))) {
      const saved = await loadRun(checkpoint, this.#config);
      this.#policy.setWeights(saved.weights);
      this.#reference.setWeights(saved.reference);
      return { state: saved.state, optimizer: new Optimizer(this.#policy, saved.moments) };
    }
    const time = Object.fromEntries(PHASES.map((phase) => [phase, 0])) as Record<Phase, number>;
    const started = await timed({ time }, "coldStart", () =>
      coldStart(this.#policy, this.#config, this.#hooks),
    );
    if (!started) return undefined;
    this.#reference.setWeights(this.#policy.weights());
    const backoff = backoffOf(this.#config)?.state();
    const state: RunState = {
      batch: 0,
      coldStart: await this.#evaluate({ time }, 0),
      evaluations: [],
      steps: emptyColumns(backoff !== undefined),
      levels: [],
      monitor: new CollapseMonitor().state(),
      ...(backoff ? { backoff } : {}),
      time,
    };
    return { state, optimizer: new Optimizer(this.#policy) };
  }

  async #evaluate(timing: Timing, batch: number): Promise<Evaluation> {
    const evaluation = await timed(timing, "evaluation", () =>
      evaluate(this.#policy, this.#heldOut, this.#config, batch),
    );
    this.#hooks.onEvaluation?.(batch, evaluation);
    return evaluation;
  }

  async #save(state: RunState, { moments }: Optimizer): Promise<void> {
    const { checkpoint } = this.#hooks;
    if (checkpoint === undefined) return;
    const [weights, reference] = [this.#policy.weights(), this.#reference.weights()];
    await saveRun(checkpoint, this.#config, { state, weights, reference, moments });
  }

  #result({ coldStart: atFirst, evaluations, steps, levels, time }: RunState): RunResult {
    return {
      config: this.#config,
      size: this.#policy.size,
      date: new Date().toISOString(),
      seconds: Object.values(time).reduce((sum, seconds) => sum + seconds, 0),
      time,
      coldStart: atFirst,
      evaluations,
      steps,
      monitor: levels,
      machine: {
        node: process.version,
        cpu: cpus()[0]?.model ?? "unknown",
        cores: availableParallelism(),
      },
    };
  }
}

/** Shows a batch to the monitor, and writes down what changes. */
function watch(
  monitor: CollapseMonitor,
  levels: LevelChange[],
  batch: number,
  { reward }: StepRecord,
  updates: readonly Update[],
): MonitorReport {
  const report = monitor.update({
    step: batch,
    metrics: updates.map(({ metrics }): Metrics => metrics),
    reward: reward ?? undefined,
    coefficients: updates.at(-1)?.coefficients,
  });
  const { level, signs, changed } = report;
  if (changed) levels.push({ batch, level, signs: signs.map(({ name }) => name) });
  return report;
}

interface Timing {
  readonly time: Record<Phase, number>;
}

/** Does something and adds the seconds that it took. */
async function timed<T>({ time }: Timing, phase: Phase, work: () => T | Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    time[phase] += (performance.now() - started) / 1000;
  }
}
