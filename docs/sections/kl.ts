/** KL estimators and entropies: value, slope, bias of both, bounds. */
import { ENTROPY_FORMULAS } from "../../lib/formulas/entropy.js";
import type { Formula } from "../../lib/formulas/formula.js";
import { KL_FORMULAS, type KlFormula } from "../../lib/formulas/kl.js";
import { blocks, bullets, prose, table } from "../markdown.js";
import type { Section } from "./section.js";

export function klSection(): Section {
  const estimators = Object.values(KL_FORMULAS);
  const entropies = Object.values(ENTROPY_FORMULAS);
  return {
    heading: "KL estimators and entropies",
    entries: ["KL estimators", "Entropies"],
    body: blocks(
      "### KL estimators",
      "Of `refKlEstimator` (added: kept small) and `perceptionKlEstimator` (subtracted: raised), per token, with x = ℓ_other − ℓ:",
      table(
        ["estimator", "value", "slope in ℓ", "in one line"],
        estimators.map(({ name, formula, gradient, summary }) => [
          `\`${name}\``,
          prose(formula),
          prose(gradient),
          prose(summary),
        ]),
      ),
      "What they estimate, and where their gradients lead, in expectation over the sampled token: on policy it is drawn from π, off policy from " +
        "another μ. **Bold** is the KL itself, everything else is a bias. A test checks every cell by enumeration of a small vocabulary.",
      table(
        [
          "estimator",
          "value, on policy",
          "gradient in π, on policy",
          "in the other policy",
          "value, off policy",
          "gradient in π, off policy",
        ],
        estimators.map(({ name, onPolicy, offPolicy }) => [
          `\`${name}\``,
          ...[
            onPolicy.value,
            onPolicy.gradient,
            onPolicy.otherGradient,
            offPolicy.value,
            offPolicy.gradient,
          ].map(boldIfRight),
        ]),
      ),
      "What holds them finite, and who has them:",
      table(
        ["estimator", "bounds", "elsewhere", "source"],
        estimators.map(({ name, bound, peers, source }: KlFormula) => [
          `\`${name}\``,
          prose(bound),
          peers.length === 0 ? "nobody" : peers.map(prose).join("; "),
          prose(source),
        ]),
      ),
      "**Findings.**",
      findingsOf(estimators),
      "Where the term is *maximised*, an estimator with the right gradient is not the safer one: k3's slope saturates at γ where the image helps, " +
        "those of `k2`, `k3+`, `unbiased` and the exact KL grow. The published γ were tuned with k3; take another estimator with a bound " +
        "(`exactKlLimit`, `perceptionKlMax`) and tune γ anew.",
      "### Entropies",
      "By `entropyEstimator`, of both policies; `maskedBranch` says whether the masked one has a gradient.",
      table(
        [
          "entropy",
          "value",
          "slope",
          "value, on policy",
          "gradient, on policy",
          "value, off policy",
          "gradient, off policy",
        ],
        entropies.map(({ name, formula, gradient, onPolicy, offPolicy }) => [
          name,
          prose(formula),
          prose(gradient),
          onPolicy.value,
          onPolicy.gradient,
          offPolicy.value,
          offPolicy.gradient,
        ]),
      ),
      "H(a, b) is the cross-entropy −Σ a log b.",
      table(
        ["entropy", "elsewhere", "source"],
        entropies.map(({ name, peers, source }) => [
          name,
          peers.length === 0 ? "nobody" : peers.map(prose).join("; "),
          prose(source),
        ]),
      ),
      "**Findings.**",
      findingsOf(entropies),
    ),
  };
}

function boldIfRight(cell: string): string {
  return cell === "KL(π ‖ other)" || cell === "∇ KL(π ‖ other)" ? `**${cell}**` : cell;
}

/** Findings of several formulas, each with the name of its own. */
export function findingsOf(entries: readonly Pick<Formula, "name" | "findings">[]): string {
  return bullets(
    entries.flatMap(({ name, findings }) =>
      findings.map((finding) => `\`${name}\`: ${prose(finding)}`),
    ),
  );
}
