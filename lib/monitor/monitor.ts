/** The collapse monitor: watches the metrics of each step for the early signs, and says what to change. */
import { checkFunction, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { finiteNumber } from "../core/option-values.js";
import { COEFFICIENT_NAMES, type MonitorCoefficients } from "./advice.js";
import { judge } from "./judge.js";
import { measure } from "./measure.js";
import { type MonitorMetrics, mergeMetrics } from "./measurements.js";
import type { MonitorLevel, MonitorReport } from "./report.js";
import { type MonitorRules, type MonitorRulesInput, readRules, wholeNumber } from "./rules.js";
import { emptyState, type MonitorState, readState } from "./state.js";

/** Functions that a monitor calls. */
export interface MonitorCallbacks {
  /** Called when the level becomes "warning" from calm. What it throws, `update` throws, with the step counted. */
  readonly onWarning?: ((report: MonitorReport) => void) | undefined;
  /** Called when the level becomes "alarm". */
  readonly onAlarm?: ((report: MonitorReport) => void) | undefined;
}

/** Options of a `CollapseMonitor`. */
export interface MonitorOptions extends MonitorCallbacks {
  /** Parameters that are not to have their default. */
  readonly rules?: MonitorRulesInput | undefined;
}

/** One step of training. */
export interface MonitorStep {
  /** Number of the step, an integer above the last one's. Default: the next. */
  readonly step?: number | undefined;
  /** `metrics` of the step's evaluation, or those of all its micro-batches, which are merged by `tokens`. */
  readonly metrics: MonitorMetrics | readonly MonitorMetrics[];
  /** Mean reward of the step's rollouts, any unit; only confirms. NaN and the infinities count as not given. */
  readonly reward?: number | undefined;
  /** `evaluation.coefficients`, so that the advice knows them. */
  readonly coefficients?: MonitorCoefficients | undefined;
}

const CALLBACKS = ["onWarning", "onAlarm"] as const;
const STEP_KEYS = ["step", "metrics", "reward", "coefficients"] as const;
const EVALUATION_COEFFICIENTS = [...COEFFICIENT_NAMES, "sft"] as const;

/**
 * Watches for a collapse as the PAPO paper describes it: the KL between the seeing and the masked policy runs away,
 * clipping becomes frequent, both entropies rise, the KL's variance over tokens grows; the reward falls last.
 *
 * It reads numbers and changes none. One sign is a warning; `rules.signs` of them, one strong, are an alarm.
 * A run without perception term, or whose metrics lack a quantity, is watched by what is there (`report.watching`).
 *
 * @see PAPO, arXiv 2507.06448 v5, §5; `MONITOR_DEFAULTS` for the thresholds and their source
 */
export class CollapseMonitor {
  readonly #callbacks: MonitorCallbacks;
  #state: MonitorState;

  /** @throws PapoError ERR_ARGUMENT, ERR_RANGE */
  constructor(options: MonitorOptions = {}) {
    const where = "CollapseMonitor";
    const given = readOptions(where, options, ["rules", ...CALLBACKS]);
    this.#callbacks = callbacksOf(where, given);
    this.#state = emptyState(readRules(where, given.rules ?? {}));
  }

  /**
   * A monitor that goes on where `state` was taken, with that monitor's rules.
   *
   * @throws PapoError ERR_ARGUMENT, ERR_RANGE; ERR_UNSUPPORTED for the state of another version
   */
  static fromState(state: MonitorState, callbacks: MonitorCallbacks = {}): CollapseMonitor {
    const where = "CollapseMonitor.fromState";
    const given = callbacksOf(where, readOptions(where, callbacks, CALLBACKS, "callbacks"));
    const read = readState(where, state);
    const monitor = new CollapseMonitor(given);
    monitor.#state = read;
    return monitor;
  }

  /** All parameters, frozen. */
  get rules(): MonitorRules {
    return this.#state.rules;
  }

  /** The level after the last step. */
  get level(): MonitorLevel {
    return this.#state.level;
  }

  /**
   * Takes in a step and says what it shows; callbacks run before it returns.
   * A call that throws for its arguments has changed nothing.
   *
   * @throws PapoError ERR_ARGUMENT for what is no step, ERR_RANGE for a step that is not after the last one
   */
  update(step: MonitorStep): MonitorReport {
    const where = "CollapseMonitor.update";
    const given = readOptions(where, step, STEP_KEYS, "step");
    const last = this.#state.step;
    const number = wholeNumber(where, "step", given.step ?? last + 1, 0);
    if (number <= last) {
      const what = `step to be after ${last}, the last one (restart() forgets it)`;
      throw expected("ERR_RANGE", where, what, describe(number));
    }
    const merged = mergeMetrics(where, given.metrics);
    const reward = rewardOf(where, given.reward);
    const before = this.#state.level;
    const { state, report } = judge(
      measure(this.#state, number, merged, reward),
      coefficientsOf(where, given.coefficients),
    );
    this.#state = state;
    if (report.changed && report.level === "alarm") this.#callbacks.onAlarm?.(report);
    if (report.level === "warning" && before === "calm") this.#callbacks.onWarning?.(report);
    return report;
  }

  /**
   * Forgets all that was measured and keeps the rules: for a deliberate change after which the old baselines mean
   * nothing (another data set, a learning rate that starts anew, a return to an earlier checkpoint without its state).
   */
  restart(): void {
    this.#state = emptyState(this.#state.rules);
  }

  /** Plain data that `fromState` takes; keep it in the checkpoint. */
  state(): MonitorState {
    return structuredClone(this.#state);
  }

  /** `state()`, for `JSON.stringify`. */
  toJSON(): MonitorState {
    return this.state();
  }
}

function callbacksOf(where: string, given: MonitorCallbacks): MonitorCallbacks {
  const { onWarning, onAlarm } = given;
  if (onWarning !== undefined) checkFunction(where, "onWarning", onWarning);
  if (onAlarm !== undefined) checkFunction(where, "onAlarm", onAlarm);
  return { onWarning, onAlarm };
}

function rewardOf(where: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  throw expected("ERR_ARGUMENT", where, "reward to be a number", describe(value));
}

function coefficientsOf(where: string, value: unknown): MonitorCoefficients {
  if (value === undefined) return {};
  const name = "coefficients";
  const given = readOptions(
    where,
    value as MonitorCoefficients & { sft?: number },
    EVALUATION_COEFFICIENTS,
    name,
  );
  for (const key of EVALUATION_COEFFICIENTS) {
    if (given[key] !== undefined) finiteNumber(where, `${name}.${key}`, given[key]);
  }
  return given;
}
