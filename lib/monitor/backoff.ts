/** A ready schedule: γ that backs off while an alarm lasts and recovers slowly, as coefficients for `evaluate`. */
import { checkObject, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { finiteNumber, numberWithin, oneOf } from "../core/option-values.js";
import type { MonitorLevel } from "./report.js";
import { wholeNumber } from "./rules.js";

/** Options of a `PerceptionBackoff`. */
export interface PerceptionBackoffOptions {
  /** γ while nothing shows. Default 0.01, that of most of the authors' presets. */
  readonly perceptionKl?: number;
  /** η's while nothing shows; they rise as γ falls. Left out, they are not among the coefficients. */
  readonly entropy?: number;
  /** η of the masked policy's entropy while nothing shows. Left out, it is not among the coefficients. */
  readonly maskedEntropy?: number;
  /** An alarm multiplies γ by this, in (0, 1). Default 0.5. */
  readonly factor?: number;
  /** Again after so many steps for which it lasts, from 1 up. Default 10. */
  readonly patience?: number;
  /** Smallest share of γ, in (0, 1]. Default 1/16. */
  readonly least?: number;
  /** Calm steps in which a share grows by the inverse of `factor`, from 1 up. Default 100. */
  readonly recovery?: number;
  /** Largest factor of the η's, 1 or more. Default 2. */
  readonly raise?: number;
}

/** State of a `PerceptionBackoff`, plain JSON. */
export interface PerceptionBackoffState
  extends Required<Omit<PerceptionBackoffOptions, "entropy" | "maskedEntropy">> {
  /** Marks the state. */
  readonly kind: "perception-backoff";
  /** Form of the state. */
  readonly version: 1;
  /** η of the policy's entropy while nothing shows. */
  readonly entropy?: number;
  /** η of the masked policy's entropy while nothing shows. */
  readonly maskedEntropy?: number;
  /** Of γ that is in force, `least` … 1. */
  readonly share: number;
  /** Steps since γ was last multiplied, while an alarm lasts; 0 otherwise. */
  readonly alarmed: number;
}

/** Coefficients in the form of `evaluate`'s option `coefficients`. */
export interface BackoffCoefficients {
  /** γ in force. */
  readonly perceptionKl: number;
  /** η of the policy's entropy in force; absent where none was given. */
  readonly entropy?: number;
  /** η of the masked policy's entropy in force; absent where none was given. */
  readonly maskedEntropy?: number;
}

const OPTION_KEYS = [
  "perceptionKl",
  "entropy",
  "maskedEntropy",
  "factor",
  "patience",
  "least",
  "recovery",
  "raise",
] as const;

/**
 * γ = share · perceptionKl, η = min(raise, 1/share) · η.
 *
 * At the start of an alarm, and every `patience` steps while it lasts, the share is multiplied by `factor`; a warning
 * holds it; calm steps bring it back to 1 by a factor of 1/`factor` in `recovery` steps. The paper has no such
 * controller, only what prevents a collapse (lower γ, entropy terms); these numbers are ours.
 */
export class PerceptionBackoff {
  readonly #options: Omit<PerceptionBackoffState, "share" | "alarmed">;
  #share = 1;
  #alarmed = 0;

  /** @throws PapoError ERR_ARGUMENT, ERR_RANGE */
  constructor(options: PerceptionBackoffOptions = {}) {
    const where = "PerceptionBackoff";
    const given = readOptions(where, options, OPTION_KEYS);
    const { entropy, maskedEntropy } = given;
    const factor = numberWithin(where, "factor", given.factor ?? 0.5, 0, 1);
    if (factor === 0 || factor === 1) {
      throw expected("ERR_RANGE", where, "factor to be between 0 and 1", describe(factor));
    }
    this.#options = {
      kind: "perception-backoff",
      version: 1,
      perceptionKl: finiteNumber(where, "perceptionKl", given.perceptionKl ?? 0.01),
      ...(entropy === undefined ? {} : { entropy: finiteNumber(where, "entropy", entropy) }),
      ...(maskedEntropy === undefined
        ? {}
        : { maskedEntropy: finiteNumber(where, "maskedEntropy", maskedEntropy) }),
      factor,
      patience: wholeNumber(where, "patience", given.patience ?? 10, 1),
      least: numberWithin(where, "least", given.least ?? 1 / 16, Number.MIN_VALUE, 1),
      recovery: wholeNumber(where, "recovery", given.recovery ?? 100, 1),
      raise: numberWithin(where, "raise", given.raise ?? 2, 1),
    };
  }

  /** A controller that goes on where `state` was taken. */
  static fromState(state: PerceptionBackoffState): PerceptionBackoff {
    const where = "PerceptionBackoff.fromState";
    const keys = ["kind", "version", ...OPTION_KEYS, "share", "alarmed"] as const;
    const given = readOptions(where, state, keys, "state");
    oneOf(where, "state.kind", given.kind, ["perception-backoff"]);
    if (given.version !== 1) {
      throw expected("ERR_UNSUPPORTED", where, "state.version to be 1", describe(given.version));
    }
    const { kind: _, version: __, share, alarmed, ...options } = given;
    for (const key of OPTION_KEYS) {
      if (options[key] !== undefined || key === "entropy" || key === "maskedEntropy") continue;
      throw expected("ERR_ARGUMENT", where, `state.${key}`, "none");
    }
    const controller = new PerceptionBackoff(options);
    controller.#share = numberWithin(where, "state.share", share, options.least, 1);
    controller.#alarmed = wholeNumber(where, "state.alarmed", alarmed, 0, options.patience);
    return controller;
  }

  /** Share of γ in force, `least` … 1. */
  get share(): number {
    return this.#share;
  }

  /** For the next evaluation: `objective.evaluate(batch, { coefficients: backoff.coefficients })`. */
  get coefficients(): BackoffCoefficients {
    const { perceptionKl, entropy, maskedEntropy, raise } = this.#options;
    const raised = Math.min(raise, 1 / this.#share);
    return {
      perceptionKl: this.#share * perceptionKl,
      ...(entropy === undefined ? {} : { entropy: raised * entropy }),
      ...(maskedEntropy === undefined ? {} : { maskedEntropy: raised * maskedEntropy }),
    };
  }

  /**
   * The coefficients for the next step, after one that the monitor judged so.
   *
   * @param report  of `CollapseMonitor.update`, or any object with its level
   * @throws PapoError ERR_ARGUMENT
   */
  update(report: { readonly level: MonitorLevel }): BackoffCoefficients {
    const where = "PerceptionBackoff.update";
    checkObject(where, "report", report);
    const level = oneOf(where, "report.level", report.level, ["calm", "warning", "alarm"]);
    const { factor, patience, least, recovery } = this.#options;
    if (level === "alarm") {
      if (this.#alarmed % patience === 0) this.#share = Math.max(this.#share * factor, least);
      this.#alarmed = (this.#alarmed % patience) + 1;
    } else {
      this.#alarmed = 0;
      if (level === "calm") this.#share = Math.min(this.#share * factor ** (-1 / recovery), 1);
    }
    return this.coefficients;
  }

  /** Plain data that `fromState` takes. */
  state(): PerceptionBackoffState {
    return { ...this.#options, share: this.#share, alarmed: this.#alarmed };
  }

  /** `state()`, for `JSON.stringify`. */
  toJSON(): PerceptionBackoffState {
    return this.state();
  }
}
