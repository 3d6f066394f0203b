/** The peers. */
import type { Peer } from "./contender.js";

export const PEERS: readonly Peer[] = [];
