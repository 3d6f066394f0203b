/** Peers' configurations: their option names in, a spec and what else it takes out. */

import { fullName } from "./config.js";
import { LIGER } from "./liger.js";
import { PAPO_AUTHORS } from "./papo-authors/importer.js";
import type { Peer, PeerName, Place } from "./peer.js";
import { TRL } from "./trl/importer.js";
import { VERL } from "./verl/importer.js";

export { fromLiger } from "./liger.js";
export { fromPapoAuthors } from "./papo-authors/importer.js";
export { fromTrl } from "./trl/importer.js";
export { fromVerl } from "./verl/importer.js";

/** One row of the page on a peer's options. */
export interface PeerOptionRow {
  /** Its name in the peer's configuration. */
  readonly option: string;
  /** The peer's default. */
  readonly default: unknown;
  /** Where it goes: a key of a spec, an argument, or nowhere. */
  readonly ours: readonly Place[];
  /** What it does, in words. */
  readonly meaning: string;
}

/** A peer's options as data, for documents and `papo info`. */
export interface PeerTable {
  /** Whose options they are. */
  readonly peer: PeerName;
  /** The function that reads them. */
  readonly importer: string;
  /** The peer's files and their revision. */
  readonly source: string;
  /** Every option that is read. */
  readonly options: readonly PeerOptionRow[];
}

/** Every option that an importer reads. */
export const PEER_TABLES: readonly PeerTable[] = [
  tableOf(TRL),
  tableOf(VERL),
  tableOf(LIGER),
  tableOf(PAPO_AUTHORS),
];

function tableOf<O extends object>(peer: Peer<O>): PeerTable {
  const names = Object.keys(peer.options) as (keyof O & string)[];
  return {
    peer: peer.name,
    importer: peer.where,
    source: peer.source,
    options: names.map((name) => {
      const option = peer.options[name];
      const { ours, meaning } = option;
      return { option: fullName(name, option), default: option.default, ours, meaning };
    }),
  };
}
