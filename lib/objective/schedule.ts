/** Coefficients that change over training, as plain data, and their value at a step. */
import { describe, expected } from "../core/errors.js";
import { ownValues } from "./plain-object.js";

/**
 * A coefficient as a function of the training step, as JSON.
 *
 * - `constant`  `from` at every step; the same as the bare number
 * - `linear`    a straight line from `from` at step 0 to `to` at step `steps`, `to` afterwards
 * - `cosine`    the same ends along half a cosine: slow, fast, slow
 *
 * The step is the number of updates already made: the first update uses `from`.
 * The PAPO authors' annealing is `linear` over half of the training steps, on the perception KL *and* by the same
 * factor on both entropies (core_algos.py:75-90, dp_actor.py:365-381); here each coefficient has its own schedule, and
 * `entropyAnnealing: "with-perception"` does as they do.
 */
export type Schedule =
  | {
      /** The same at every step. */
      readonly kind: "constant";
      /** The coefficient. */
      readonly from: number;
    }
  | {
      /** The form of the way. */
      readonly kind: "linear" | "cosine";
      /** Coefficient at step 0. */
      readonly from: number;
      /** Coefficient from step `steps` on. */
      readonly to: number;
      /** Updates from one to the other. */
      readonly steps: number;
    };

/** A number, or a schedule of numbers. */
export type Coefficient = number | Schedule;

const SCHEDULE_KINDS = ["constant", "linear", "cosine"] as const;

const SCHEDULE_KEYS = ["kind", "from", "to", "steps"] as const;

/**
 * Checks a coefficient from outside and returns it, a schedule as a frozen copy.
 *
 * @throws PapoError ERR_ARGUMENT for anything but a finite number or a complete schedule, ERR_RANGE for its numbers
 */
export function readCoefficient(where: string, name: string, value: unknown): Coefficient {
  if (typeof value === "number") return finite(where, name, value);
  if (typeof value !== "object" || value === null) {
    throw expected("ERR_ARGUMENT", where, `${name} to be a number or a schedule`, describe(value));
  }
  const values = ownValues(where, `the schedule of ${name}`, value, SCHEDULE_KEYS);
  const kind = SCHEDULE_KINDS.find((candidate) => candidate === values.get("kind"));
  if (kind === undefined) {
    const kinds = SCHEDULE_KINDS.map((word) => `"${word}"`).join(", ");
    throw expected(
      "ERR_ARGUMENT",
      where,
      `${name}.kind to be one of ${kinds}`,
      describe(values.get("kind")),
    );
  }
  const from = finite(where, `${name}.from`, values.get("from"));
  if (kind === "constant") {
    for (const key of ["to", "steps"] as const) {
      if (values.has(key)) {
        throw expected("ERR_ARGUMENT", where, `no ${name}.${key} in a constant schedule`, "one");
      }
    }
    return Object.freeze({ kind, from });
  }
  const to = finite(where, `${name}.to`, values.get("to"));
  const steps = values.get("steps");
  if (typeof steps !== "number" || !Number.isSafeInteger(steps) || steps < 1) {
    throw expected("ERR_RANGE", where, `${name}.steps to be an integer from 1 up`, describe(steps));
  }
  return Object.freeze({ kind, from, to, steps });
}

function finite(where: string, name: string, value: unknown): number {
  if (typeof value !== "number") {
    throw expected("ERR_ARGUMENT", where, `${name} to be a number`, describe(value));
  }
  if (!Number.isFinite(value)) {
    throw expected("ERR_RANGE", where, `${name} to be a finite number`, describe(value));
  }
  return value;
}

/** Whether the value depends on the step. */
export function isScheduled(coefficient: Coefficient): boolean {
  return typeof coefficient !== "number" && coefficient.kind !== "constant";
}

/**
 * The value of `coefficient` after `step` updates.
 *
 * @param step  number of updates already made, 0 or more; not read where the coefficient does not depend on it
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE
 */
export function coefficientAt(coefficient: Coefficient, step: number): number {
  const checked = readCoefficient("coefficientAt", "coefficient", coefficient);
  if (typeof checked === "number") return checked;
  if (checked.kind === "constant") return checked.from;
  checkStep("coefficientAt", step);
  const { kind, from, to, steps } = checked;
  // The ends are returned as they were written, not as 0.30000000000000004.
  if (step <= 0) return from;
  if (step >= steps) return to;
  const done = step / steps;
  const share = kind === "linear" ? done : (1 - Math.cos(Math.PI * done)) / 2;
  return from + (to - from) * share;
}

/** Throws ERR_RANGE for what is no number of updates. */
export function checkStep(where: string, step: unknown): void {
  if (typeof step === "number" && Number.isFinite(step) && step >= 0) return;
  throw expected("ERR_RANGE", where, "step to be a number from 0 up", describe(step));
}

/** The value at step 0. */
export function startOf(coefficient: Coefficient): number {
  return typeof coefficient === "number" ? coefficient : coefficient.from;
}

/** Smallest and largest value over all steps; both kinds are monotonic, so these are the ends. */
export function coefficientRange(coefficient: Coefficient): { min: number; max: number } {
  if (typeof coefficient === "number") return { min: coefficient, max: coefficient };
  const { from } = coefficient;
  const to = coefficient.kind === "constant" ? from : coefficient.to;
  return { min: Math.min(from, to), max: Math.max(from, to) };
}
