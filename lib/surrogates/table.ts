/** The table of surrogates: adding one is a file and a line here. */
import { ppoClip } from "./ppo-clip.js";
import { reinforce } from "./reinforce.js";
import type { SurrogateDefinition } from "./surrogate.js";

/** Every surrogate, in the order in which they are shown. */
export const SURROGATES: readonly SurrogateDefinition[] = [ppoClip, reinforce];

const BY_KIND = new Map(SURROGATES.map((definition) => [definition.kind, definition]));

/** The surrogate of that name, if there is one. */
export function surrogateNamed(kind: string): SurrogateDefinition | undefined {
  return BY_KIND.get(kind);
}
