/** Imported advantages are those of the peer, and their parameters exist. */
import { readFileSync } from "node:fs";
import test from "ava";
import { estimateAdvantages } from "../../lib/advantages/estimate.js";
import { ADVANTAGES } from "../../lib/advantages/table.js";
import { fromPapoAuthors, fromTrl, fromVerl } from "../../lib/peers/index.js";
import type { ImportedAdvantages } from "../../lib/peers/peer.js";
import { assertClose } from "../support/close.js";

interface Table {
  readonly rewards: readonly (readonly number[])[];
  readonly group: readonly number[];
  readonly lengths: readonly number[];
  readonly results: Readonly<Record<string, readonly (readonly number[])[]>>;
}

const url = new URL("../golden/peers/losses-and-advantages.json", import.meta.url);
const { advantages: tables }: { advantages: Table[] } = JSON.parse(readFileSync(url, "utf8"));

/** Everything that some estimator needs, of which each takes its part. */
function inputsOf({ rewards: groups, group, lengths }: Table) {
  const width = Math.max(...lengths);
  const rewards = groups.flat();
  return {
    rewards,
    groups: group,
    lengths,
    baselines: groups.flatMap((own) => own.map(() => own.reduce((a, b) => a + b, 0) / own.length)),
    rewardComponents: [rewards, rewards],
    values: new Array<number>(lengths.length * width).fill(0),
    shape: [lengths.length, width],
    responseMask: lengths.flatMap((n) => Array.from({ length: width }, (_, t) => +(t < n))),
  };
}

function estimated({ kind, ...parameters }: ImportedAdvantages, table: Table): Float64Array {
  const known = Object.values(ADVANTAGES).find((definition) => definition.kind === kind);
  const needs: readonly string[] = known?.needs ?? [];
  const all = inputsOf(table);
  const inputs = {
    ...(needs.includes("rewardComponents") ? {} : { rewards: all.rewards }),
    ...(needs.includes("groups") ? { groups: all.groups } : {}),
    ...(needs.includes("lengths") ? { lengths: all.lengths } : {}),
    ...(needs.includes("baselines") ? { baselines: all.baselines } : {}),
    ...(needs.includes("rewardComponents") ? { rewardComponents: all.rewardComponents } : {}),
    ...(needs.includes("values") ? { values: all.values } : {}),
    ...(needs.includes("tokens") ? { shape: all.shape, responseMask: all.responseMask } : {}),
  };
  return estimateAdvantages(kind as never, { ...inputs, ...parameters } as never).advantages;
}

/** dr_grpo is grpo without the deviation. */
const configOf = (name: string) =>
  name === "dr_grpo"
    ? { adv_estimator: "grpo", norm_adv_by_std_in_grpo: false }
    : { adv_estimator: name };

tables.forEach((table, i) => {
  for (const [name, expected] of Object.entries(table.results)) {
    test(`verl's ${name} of table ${i} is reproduced`, (t) => {
      const { advantages: imported } = fromVerl(configOf(name));
      const own = estimated(imported as ImportedAdvantages, table);
      const width = expected[0]?.length ?? 0;
      const perToken = expected.flatMap((row, s) =>
        row.map((_, token) => {
          if (token >= (table.lengths[s] as number)) return 0;
          return own[own.length === expected.length ? s : s * width + token] as number;
        }),
      );
      assertClose(t, name, perToken, expected.flat(), { rtol: 0, atol: 1e-12 });
    });
  }
});

test("every estimator that an importer names exists with these parameters", (t) => {
  const table = tables[0] as Table;
  const verl = ["gae", "grpo_vectorized", "rloo_vectorized", "gdpo"].map((adv_estimator) =>
    fromVerl({ adv_estimator }),
  );
  const trl = [
    ...["group", "batch", "none"].map((scale_rewards) => fromTrl({ scale_rewards })),
    fromTrl({ multi_objective_aggregation: "normalize_then_sum" }),
  ];
  const authors = ["grpo", "dapo", "rloo", "reinforce_plus_plus", "remax", "gae"].map(
    (adv_estimator) => fromPapoAuthors({ adv_estimator, disable_kl: true }),
  );
  for (const { advantages } of [...verl, ...trl, ...authors]) {
    t.true(estimated(advantages as ImportedAdvantages, table).every(Number.isFinite));
  }
});
