/** All that a run has found out so far, and its way into a checkpoint and back. */
import { isDeepStrictEqual } from "node:util";
import type {
  MonitorLevel,
  MonitorState,
  PerceptionBackoffState,
  SignName,
} from "../../lib/monitor/index.js";
import { readTensors, readValue, writeTensors } from "./checkpoint.js";
import type { RunConfig } from "./config.js";
import type { Evaluation } from "./evaluation.js";
import type { Moments } from "./optimizer.js";
import type { StepColumns } from "./steps.js";

/** A change of the monitor's level. */
export interface LevelChange {
  readonly batch: number;
  readonly level: MonitorLevel;
  /** Those that showed. */
  readonly signs: readonly SignName[];
}

export const PHASES = ["coldStart", "generation", "update", "evaluation", "checkpoint"] as const;
/** Where the time of a run goes. */
export type Phase = (typeof PHASES)[number];

/** What grows with the batches; plain JSON. */
export interface RunState {
  /** Batches done. */
  batch: number;
  readonly coldStart: Evaluation;
  readonly evaluations: (Evaluation & { readonly batch: number })[];
  readonly steps: StepColumns;
  readonly levels: LevelChange[];
  monitor: MonitorState;
  /** Only of a run that backs off. */
  backoff?: PerceptionBackoffState;
  /** Seconds so far, breaks not counted. */
  readonly time: Record<Phase, number>;
}

/** A run as a file holds it. */
export interface SavedRun {
  readonly state: RunState;
  /** [size] of the policy, and of the one after the cold start. */
  readonly weights: Float32Array;
  readonly reference: Float32Array;
  readonly moments: Moments;
}

/** Of the file's layout; another one is refused. */
const VERSION = 1;

export async function saveRun(path: string, config: RunConfig, run: SavedRun): Promise<void> {
  const { weights, reference, state } = run;
  const { first, second, updates } = run.moments;
  const values = { version: VERSION, config, updates, state };
  await writeTensors(path, { weights, reference, first, second }, values);
}

/**
 * The run that a checkpoint holds.
 *
 * @throws Error where it belongs to another config, naming the fields that differ; PapoError for a broken file
 */
export async function loadRun(path: string, config: RunConfig): Promise<SavedRun> {
  const version = await readValue(path, "version");
  if (version !== VERSION) {
    throw new Error(`${path}: expected a checkpoint of version ${VERSION}, received ${version}`);
  }
  const other = (await readValue(path, "config")) as RunConfig;
  const differing = differences(config, other);
  if (differing.length > 0) {
    throw new Error(`${path} is the checkpoint of another run: it differs in ${differing.join()}`);
  }
  const { weights, reference, first, second } = await readTensors(path);
  if (!weights || !reference || !first || !second) {
    throw new Error(`${path}: expected weights, reference and both moments`);
  }
  const updates = Number(await readValue(path, "updates"));
  const state = (await readValue(path, "state")) as RunState;
  return { state, weights, reference, moments: { first, second, updates } };
}

/** Fields in which two configs differ. */
export function differences(one: RunConfig, other: RunConfig): string[] {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof RunConfig>;
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));
  return [...keys].filter((key) => !isDeepStrictEqual(plain(one[key]), plain(other[key])));
}
