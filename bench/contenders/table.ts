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
  "call-op": async () => (await import("./calls.js")).setUpOp,
  "call-tensors": async () => (await import("./calls.js")).setUpTensors,
  "call-token-stats": async () => (await import("./calls.js")).setUpTokenStats,
  "call-bound": async () => (await import("./calls.js")).setUpBound,
  "call-bound-async": async () => (await import("./calls.js")).setUpBoundAsync,
  "call-evaluate": async () => (await import("./calls.js")).setUpEvaluate,
  "call-evaluate-async": async () => (await import("./calls.js")).setUpEvaluateAsync,
};

export function ownSetUp(contender: string): Promise<OwnSetUp> | undefined {
  return OWN[contender]?.();
}

export function peerNamed(contender: string): Peer | undefined {
  return PEERS.find(({ name }) => name === contender);
}
