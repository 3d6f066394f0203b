/** The policy: its forward pass on TensorFlow.js' tape, and what it says. */
export { generate } from "./generation.js";
export type { Prompts } from "./inputs.js";
export { Policy, type PolicyOptions } from "./policy.js";
