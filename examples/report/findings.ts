/** What the paper claims, each held against the runs: verdicts and sentences are computed from the data. */
import type { Estimate } from "../experiment/statistics.js";
import { nameOf } from "./arms.js";
import { type Comparison, MAIN_CLAIMS, OTHER_CLAIMS } from "./claims.js";
import { collapseFindings } from "./collapse-findings.js";
import { differenceOf, meanOf, signOf } from "./comparison.js";
import { errorRate, errorShare, final } from "./measures.js";
import { percent, plural, points, signed } from "./numbers.js";
import { PAPER_ERRORS } from "./paper.js";
import type { Laboratory } from "./runs.js";

/**
 * "unclear": no difference seen; "mixed": some runs as claimed, others not; "beyond": seen here, and the paper says nothing
 * of it; "missing": not run, or on one seed only.
 */
export type Verdict = "agrees" | "differs" | "mixed" | "unclear" | "beyond" | "missing";

export interface Finding {
  /** The paper's claim, or what was asked beyond it. */
  readonly claim: string;
  /** Where it stands; empty where it does not. */
  readonly source: string;
  readonly verdict: Verdict;
  /** What came out. */
  readonly here: string;
}

export function findingsOf(laboratory: Laboratory): Finding[] {
  const held = (claims: readonly Comparison[]) => claims.map((claim) => compare(laboratory, claim));
  return [
    ...held(MAIN_CLAIMS),
    perceptionShare(laboratory),
    perceptionErrors(laboratory),
    ...held(OTHER_CLAIMS),
    ...collapseFindings(laboratory),
  ];
}

/** Verdict of an interval, by what is expected of it. */
export function verdictOf(estimate: Estimate, expected: Comparison["expected"]): Verdict {
  if (estimate.count < 2) return "missing";
  const sign = signOf(estimate);
  // An interval that holds 0 does not show that there is none either.
  if (sign === "none") return "unclear";
  if (expected === undefined) return "beyond";
  return sign === expected ? "agrees" : "differs";
}

/** A difference as a sentence, in points of percent. */
export function sentenceOf(estimate: Estimate, arm: string, base: string, of: string): string {
  const numbers = `${points(estimate)} points of ${of}, ${plural(estimate.count, "seed")}`;
  const [first, second] = [nameOf(arm), nameOf(base)];
  if (Number.isNaN(estimate.low)) return `one seed, no interval: ${first} − ${second}, ${numbers}`;
  const sign = signOf(estimate);
  if (sign === "none") {
    return `no difference seen at this scale: ${first} − ${second}, ${numbers}`;
  }
  return `${first} is ${sign === "above" ? "higher" : "lower"} than ${second}: ${numbers}`;
}

function compare(laboratory: Laboratory, comparison: Comparison): Finding {
  const { claim, source, arm, base, expected } = comparison;
  const { measure = final("overall"), of = "held-out accuracy" } = comparison;
  const estimate = differenceOf(laboratory, arm, base, measure);
  if (estimate === undefined) return missing(claim, source, laboratory, [arm, base]);
  const verdict = verdictOf(estimate, expected);
  return { claim, source, verdict, here: sentenceOf(estimate, arm, base, of) };
}

function missing(
  claim: string,
  source: string,
  laboratory: Laboratory,
  arms: readonly string[],
): Finding {
  const absent = arms.filter((arm) => !laboratory.arms.has(arm));
  const here =
    absent.length > 0 ? `not run: ${absent.join(", ")}` : `no seed in common, or no such numbers`;
  return { claim, source, verdict: "missing", here };
}

function perceptionShare(laboratory: Laboratory): Finding {
  const claim = `Most errors of GRPO are errors of perception: ${percent(PAPER_ERRORS.perceptionShare, 0)}`;
  const source = "§2.2, Figure 1, 3B";
  const share = meanOf(laboratory, "grpo", errorShare("perception"));
  if (share === undefined) return missing(claim, source, laboratory, ["grpo"]);
  const { mean, low, high } = share;
  const interval = Number.isNaN(low) ? "" : ` [${percent(low)}, ${percent(high)}]`;
  const here = `GRPO: ${percent(mean)}${interval} of the wrong answers, ${plural(share.count, "seed")}`;
  if (share.count < 2) return { claim, source, verdict: "missing", here: `${here}, no interval` };
  if (low > 0.5) return { claim, source, verdict: "agrees", here };
  return { claim, source, verdict: high < 0.5 ? "differs" : "unclear", here };
}

function perceptionErrors(laboratory: Laboratory): Finding {
  const claim = `PAPO-G makes fewer errors of perception than GRPO: ${signed(-100 * PAPER_ERRORS.reduction)}\u00a0%`;
  const source = "Figure 1, 3B";
  const measure = errorRate("perception");
  const estimate = differenceOf(laboratory, "papo-g", "grpo", measure);
  const baseline = meanOf(laboratory, "grpo", measure)?.mean;
  if (estimate === undefined || baseline === undefined) {
    return missing(claim, source, laboratory, ["papo-g", "grpo"]);
  }
  const share =
    baseline > 0 ? ` (${signed((100 * estimate.mean) / baseline)}\u00a0% of GRPO's)` : "";
  const here = `${sentenceOf(estimate, "papo-g", "grpo", "perception errors among all answers")}${share}`;
  return { claim, source, verdict: verdictOf(estimate, "below"), here };
}
