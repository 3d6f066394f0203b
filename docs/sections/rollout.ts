/** What is measured of the mismatch between the policy that trains and the engine that sampled. */
import { byMeaning, interfacesOf } from "../declarations.js";
import { blocks, prose, table } from "../markdown.js";
import type { Section } from "./section.js";

const INTERFACES = interfacesOf("lib/rollout");

export function rolloutSection(): Section {
  return {
    heading: "Rollout diagnostics",
    body: blocks(
      "`rolloutDiagnostics` says how far the policy is from the engine that sampled:",
      fieldsOf("RolloutDiagnostics"),
      "`rolloutWeights` gives, beside weights and kept tokens, what the weights look like:",
      fieldsOf("RolloutWeightMetrics"),
    ),
  };
}

function fieldsOf(name: string): string {
  const declaration = INTERFACES.get(name);
  if (declaration === undefined) throw new Error(`lib/rollout has no ${name}`);
  return table(
    ["fields", "meaning"],
    byMeaning(declaration.fields).map(([names, meaning]) => [
      names.map((field) => `\`${field}\``).join(", "),
      prose(meaning),
    ]),
  );
}
