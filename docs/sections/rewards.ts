/** Rewards as PAPO uses them. */
import { meaningOf } from "../declarations.js";
import { blocks, prose, table } from "../markdown.js";
import type { Section } from "./section.js";

const FILE = "lib/rewards/index.ts";
const FUNCTIONS = ["mathReward", "mathEqual", "boxedAnswer", "formatReward"] as const;

export function rewardsSection(): Section {
  return {
    heading: "Rewards",
    body: blocks(
      "From `papo/rewards`, which needs no addon.",
      table(
        ["function", "what it gives"],
        FUNCTIONS.map((name) => [`\`${name}\``, prose(meaningOf(FILE, name))]),
      ),
      "The paper prints R ∈ {0, 1}; the authors' code, and this, is 0.9 · accuracy + 0.1 · format (`examples/reward_function/math.py:32-47`).",
    ),
  };
}
