/** Peers' configurations: every option that an importer reads, and where it lands. */
import { PEER_TABLES, type PeerOptionRow, type PeerTable } from "../../lib/peers/index.js";
import type { PeerName } from "../../lib/peers/peer.js";
import { sourcesOf } from "../declarations.js";
import { blocks, bullets, details, prose, table } from "../markdown.js";
import type { Section } from "./section.js";

/** Where each importer says what it does otherwise, and what it leaves out. */
const SOURCES: Readonly<Record<PeerName, readonly string[]>> = {
  TRL: ["lib/peers/trl", "lib/peers/loss-types.ts"],
  verl: ["lib/peers/verl"],
  Liger: ["lib/peers/liger.ts", "lib/peers/loss-types.ts"],
  "PAPO authors": ["lib/peers/papo-authors"],
};

/** What a peer's options become beside keys of a spec. */
const PLACES = [
  "`advantages`, `groupFilter`: what the config fixes of `estimateAdvantages` and `filterGroups`.",
  "`denominators`, `wholeBatch`: constants for every evaluation, and counts that have to be those of the whole batch.",
  "`batch`: fields that the objective cannot do without.",
  "`rules`: what the caller has to do to get the peer's numbers, as sentences.",
  "`notExpressible`: values without a counterpart; they are left out, and named with the reason.",
  "`differences`: where the import computes otherwise, knowingly: what, and why.",
];

export function peersSection(): Section {
  return {
    heading: "Configurations of other libraries",
    entries: PEER_TABLES.map(({ importer }) => importer),
    body: blocks(
      "An importer takes a peer's own option names, as much of a config as there is, and gives a checked `spec` with everything else that the config " +
        "says. Its numbers are the peer's for the same batch, bugs excluded.",
      table(
        ["importer", "of", "options", "read from"],
        PEER_TABLES.map(({ importer, peer, options, source }) => [
          `\`${importer}\``,
          peer,
          String(options.length),
          prose(source),
        ]),
        [2],
      ),
      "Options land in keys of a spec, or in other parts of the import:",
      bullets(PLACES),
      PEER_TABLES.map(peerBlock),
    ),
  };
}

function peerBlock({ peer, importer, options }: PeerTable): string {
  const source = sourcesOf(...SOURCES[peer]).join("\n");
  const reasons = [...source.matchAll(/notExpressible:\s*(?:[^"?{}]+\?\s*)?"([^"]+)"/g)];
  const differences = [...source.matchAll(/what:\s*"([^"]+)",\s*why:\s*"([^"]+)"/g)];
  const shut = (text = "") => text.replace(/\.$/, "");
  return blocks(
    `### ${importer}`,
    details(
      `${options.length} options of ${peer}`,
      table(["option", "default", "becomes", "meaning"], options.map(optionRow)),
    ),
    differences.length === 0 ? "" : "**Differences**, where the config touches them.",
    bullets(differences.map(([, what, why]) => `${prose(shut(what))}: ${prose(shut(why))}.`)),
    reasons.length === 0 ? "" : "**Reasons** why a value has no counterpart.",
    bullets([...new Set(reasons.map(([, reason = ""]) => prose(reason)))]),
  );
}

function optionRow({ option, default: value, ours, meaning }: PeerOptionRow): string[] {
  const places = ours.map((place) => `\`${place}\``).join(", ");
  return [`\`${option}\``, `\`${JSON.stringify(value)}\``, places, prose(meaning)];
}
