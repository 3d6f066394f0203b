/** The tables from which the page on peers is made. */
import test from "ava";
import { SPEC_KEYS } from "../../lib/index.js";
import * as importers from "../../lib/peers/index.js";
import { PEER_NAMES } from "../../lib/peers/peer.js";

const { PEER_TABLES } = importers;

const PLACES: readonly string[] = [
  ...SPEC_KEYS,
  ...["advantages", "groupFilter", "denominators", "wholeBatch", "batch", "rules"],
  "notExpressible",
];

test("every peer has a table, and every table its importer", (t) => {
  t.deepEqual(
    PEER_TABLES.map(({ peer }) => peer),
    [...PEER_NAMES],
  );
  for (const { importer } of PEER_TABLES) {
    t.is(typeof (importers as Readonly<Record<string, unknown>>)[importer], "function");
  }
});

for (const { peer, options } of PEER_TABLES) {
  test(`${peer}: every option says in a sentence what it is, and lands somewhere`, (t) => {
    for (const { option, meaning, ours } of options) {
      t.regex(meaning, /^[^\n]{10,110}[^ .]\.$/, option);
      t.true(ours.length > 0, option);
      for (const place of ours) t.true(PLACES.includes(place), `${option}: ${place}`);
    }
  });
}

for (const { peer, importer, options } of PEER_TABLES) {
  test(`${peer}: an option given with its default changes no spec`, (t) => {
    const from = (importers as unknown as Record<string, (config: object) => { spec: object }>)[
      importer
    ] as (config: object) => { spec: object };
    const { spec } = from({});
    for (const { option, default: value } of options) {
      // Lists are the read form of a threshold; kl_penalty is what is measured only where it is given.
      if (Array.isArray(value) || option === "algorithm.kl_penalty") continue;
      t.deepEqual(from({ [option]: value }).spec, spec, option);
    }
  });
}
