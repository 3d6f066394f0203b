/** What to change when signs show: words for a person, and the coefficients they are about. */
import type { Sign, SignName } from "./signs.js";

/** Coefficients in force, as `evaluation.coefficients` has them; what is not known is left out. */
export interface MonitorCoefficients {
  /** γ. */
  readonly perceptionKl?: number | undefined;
  /** η of the policy's entropy. */
  readonly entropy?: number | undefined;
  /** η of the masked policy's entropy. */
  readonly maskedEntropy?: number | undefined;
  /** β. */
  readonly refKl?: number | undefined;
}

export const COEFFICIENT_NAMES = ["perceptionKl", "entropy", "maskedEntropy", "refKl"] as const;

/** One thing to do, the most urgent first. */
export interface Advice {
  /** Which coefficient to change. */
  readonly coefficient: (typeof COEFFICIENT_NAMES)[number];
  /** What to do with it. */
  readonly action: "lower" | "raise" | "keep";
  /** What it is at present, where the monitor was told. */
  readonly from?: number;
  /** A value to try; absent for "keep". Where the present one is not known, the paper's. */
  readonly to?: number;
  /** The reason, as a clause. */
  readonly why: string;
}

/**
 * Lower γ, raise η, keep the reference KL (paper, §5, Tables 5, 8 and 11); nothing that is already so.
 *
 * @param signs  those that show; without one there is nothing to do
 */
export function adviceFor(signs: readonly Sign[], given: MonitorCoefficients): Advice[] {
  if (signs.length === 0) return [];
  const shows = (name: SignName) => signs.some((sign) => sign.name === name);
  const advice: Advice[] = [];
  const { perceptionKl: gamma, refKl } = given;
  if (gamma === undefined || gamma > 0) {
    const why = "γ is what drives a collapse: 0.04 collapsed in the paper whatever held it back";
    advice.push(
      change("perceptionKl", "lower", gamma, gamma === undefined ? 0.01 : gamma / 2, why),
    );
  }
  // What the entropy terms hold back; with perception signs alone γ comes first and η may wait.
  const eta = Math.max(given.entropy ?? 0, 0);
  if ((shows("entropies") || signs.length > 1) && eta < 0.1) {
    const why = "η on the policy's own entropy prevented the collapse in the paper; 0.03 to 0.05";
    const to = eta === 0 ? 0.03 : Math.min(2 * eta, 0.1);
    advice.push(change("entropy", "raise", given.entropy, to, why));
  }
  if (shows("entropies")) {
    const masked = Math.max(given.maskedEntropy ?? 0, 0);
    if (masked < 0.1) {
      const why =
        "η on the masked policy's entropy delayed it; it needs a differentiable masked branch";
      const to = masked === 0 ? 0.03 : Math.min(2 * masked, 0.1);
      advice.push(change("maskedEntropy", "raise", given.maskedEntropy, to, why));
    }
  }
  if (refKl === undefined || refKl > 0) {
    const why = "without a reference KL the paper saw collapse at half the γ";
    advice.push({ coefficient: "refKl", action: "keep", ...known(refKl), why });
  } else {
    const why = "a reference KL of 0.01 holds γ 0.02 at 3B in the paper";
    advice.push(change("refKl", "raise", refKl, 0.01, why));
  }
  return advice;
}

function change(
  coefficient: Advice["coefficient"],
  action: Advice["action"],
  from: number | undefined,
  to: number,
  why: string,
): Advice {
  return { coefficient, action, ...known(from), to, why };
}

function known(from: number | undefined): { from?: number } {
  return from === undefined ? {} : { from };
}
