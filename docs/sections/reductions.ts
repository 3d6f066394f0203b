/** Reductions, and denominators as data. */
import { REDUCTION_FORMULAS } from "../../lib/formulas/reductions.js";
import { interfacesOf } from "../declarations.js";
import { blocks, prose, table } from "../markdown.js";
import { findingsOf } from "./kl.js";
import type { Section } from "./section.js";

export function reductionsSection(): Section {
  const reductions = Object.values(REDUCTION_FORMULAS);
  const denominators = interfacesOf("lib/functional").get("Denominators")?.fields ?? [];
  return {
    heading: "Reductions and denominators",
    body: blocks(
      "How one number per token becomes one number, by `reduction`: the weight of a counted token of sequence s, with ε = `denominatorEpsilon`. " +
        "Both entropies have a token mean whatever the reduction says, or share it (`entropyReduction`).",
      table(
        ["reduction", "weight of a token", "in one line", "elsewhere", "source"],
        reductions.map(({ name, formula, summary, peers, source }) => [
          `\`${name}\``,
          formula,
          prose(summary),
          peers.map(prose).join("; "),
          prose(source),
        ]),
      ),
      "A call counts its own tokens and sequences. Where it sees only a part of a batch (a micro-batch, a worker, a block), give the counts of " +
        "the whole as `denominators`: losses and gradients of the parts then add up to those of the whole, whatever the split between sequences. (What looks at the whole call, such as " +
        "the covariance of clip-cov or a quantile of level batch, sees its part only.)",
      table(
        ["denominators", "of", "meaning"],
        denominators.map(({ name, meaning }) => [
          `\`${name}\``,
          reductions
            .filter((reduction) => (reduction.denominators as readonly string[]).includes(name))
            .map((reduction) => `\`${reduction.name}\``)
            .join(", "),
          prose(meaning),
        ]),
      ),
      "**Findings.**",
      findingsOf(reductions),
    ),
  };
}
