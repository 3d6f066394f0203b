/** Who takes part: papo by its several doors, and the peers. */
import type { OwnSetUp, Peer } from "./contender.js";
import { PEERS } from "./peers.js";

/** papo's doors; each is imported only where it is measured. */
const OWN: Readonly<Record<string, () => Promise<OwnSetUp>>> = {
  papo: async () => (await import("./papo.js")).setUpFused,
  "papo-composed": async () => (await import("./papo.js")).setUpComposed,
  "papo-async": async () => (await import("./concurrent.js")).setUpAsync,
  "papo-two-calls": async () => (await import("./concurrent.js")).setUpTwoCalls,
  "papo-two-workers": async () => (await import("./concurrent.js")).setUpTwoWorkers,
  "custom-objective": async () => (await import("./objectives.js")).setUpCustom,
  "call-op": async () => (await import("./calls.js")).setUpOp,
  "call-tensors": async () => (await import("./calls.js")).setUpTensors,
  "call-token-stats": async () => (await import("./calls.js")).setUpTokenStats,
  "call-bound": async () => (await import("./calls.js")).setUpBound,
  "call-bound-async": async () => (await import("./calls.js")).setUpBoundAsync,
  "call-evaluate": async () => (await import("./calls.js")).setUpEvaluate,
  "call-evaluate-async": async () => (await import("./calls.js")).setUpEvaluateAsync,
};

/** `objective KIND`: that surrogate in the place of PPO's clip, composed. */
const OBJECTIVE_PREFIX = "objective ";

export function ownSetUp(contender: string): Promise<OwnSetUp> | undefined {
  if (!contender.startsWith(OBJECTIVE_PREFIX)) return OWN[contender]?.();
  const kind = contender.slice(OBJECTIVE_PREFIX.length);
  return import("./objectives.js").then(({ setUpSurrogate }) => setUpSurrogate(kind));
}

export function peerNamed(contender: string): Peer | undefined {
  return PEERS.find(({ name }) => name === contender);
}
