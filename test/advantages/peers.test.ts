/** verl's own advantages, to 1e-12. */
import { readFileSync } from "node:fs";
import test from "ava";
import { type AdvantageEstimate, estimateAdvantages } from "../../lib/advantages/estimate.js";
import { compare } from "../support/close.js";

interface Table {
  readonly rewards: readonly (readonly number[])[];
  readonly group: readonly number[];
  readonly lengths: readonly number[];
  readonly results: Readonly<Record<string, readonly (readonly number[])[]>>;
}

const file = new URL("../golden/peers/losses-and-advantages.json", import.meta.url);
const { advantages: tables } = JSON.parse(readFileSync(file, "utf8")) as { advantages: Table[] };

const TOLERANCE = { rtol: 0, atol: 1e-12 };

/** verl's name → ours. */
const ESTIMATORS: Record<string, (batch: ReturnType<typeof batchOf>) => AdvantageEstimate> = {
  grpo: ({ grouped }) => estimateAdvantages("grpo", grouped),
  dr_grpo: ({ grouped }) => estimateAdvantages("dr-grpo", grouped),
  rloo: ({ grouped }) => estimateAdvantages("rloo", grouped),
  opo: ({ grouped, lengths }) => estimateAdvantages("opo", { ...grouped, lengths }),
  reinforce_plus_plus: ({ rewards, layout }) =>
    estimateAdvantages("reinforce++", { rewards, ...layout }),
  reinforce_plus_plus_baseline: ({ grouped, lengths }) =>
    estimateAdvantages("reinforce++-baseline", { ...grouped, lengths }),
  gpg: ({ grouped }) => estimateAdvantages("gpg", grouped),
  grpo_passk: ({ grouped }) => estimateAdvantages("pass@k", grouped),
  remax: ({ rewards, baselines }) => estimateAdvantages("remax", { rewards, baselines }),
};

function batchOf({ rewards: groups, group, lengths }: Table) {
  const rewards = groups.flat();
  const width = Math.max(...lengths);
  const responseMask = lengths.flatMap((length) =>
    Array.from({ length: width }, (_, t) => (t < length ? 1 : 0)),
  );
  const baselines = groups.flatMap((own) => {
    const mean = own.reduce((sum, reward) => sum + reward, 0) / own.length;
    return own.map(() => mean);
  });
  const shape: [number, number] = [lengths.length, width];
  return {
    rewards,
    grouped: { rewards, groups: group },
    lengths,
    baselines,
    layout: { shape, responseMask },
  };
}

tables.forEach((table, index) => {
  const width = Math.max(...table.lengths);
  const isCounted = (row: number): boolean =>
    row % width < (table.lengths[Math.floor(row / width)] as number);

  for (const [name, rows] of Object.entries(table.results)) {
    test(`table ${index}: ${name} as verl has it`, (t) => {
      const { advantages } = (ESTIMATORS[name] as (typeof ESTIMATORS)[string])(batchOf(table));
      const perToken = rows
        .flat()
        .map((_, row) =>
          advantages.length === rows.length
            ? (advantages[Math.floor(row / width)] as number)
            : (advantages[row] as number),
        )
        .map((advantage, row) => (isCounted(row) ? advantage : 0));
      const { ok, message } = compare(name, perToken, rows.flat(), TOLERANCE);
      t.true(ok, message);
    });
  }
});

test("every estimator of the tables is compared", (t) => {
  t.is(tables.length, 3);
  for (const { results } of tables) t.deepEqual(Object.keys(results), Object.keys(ESTIMATORS));
});
