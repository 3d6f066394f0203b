/**
 * Records what a monitor would have seen of a run of the experiment, healthy or driven into a collapse: an arm of its plan,
 * with changes of its settings. Every run that is kept beside this file has the command that made it in it.
 *
 *     npx tsx test/monitor/runs/record.ts --arm collapse-none --seed 1 --out test/monitor/runs/collapsed-1.json
 *     npx tsx test/monitor/runs/record.ts --arm papo-g --changes '{"batches":100,"learningRate":0.001}'
 *
 * The runs that are there now were made in an earlier world, by a version of this file that is in the history only: their
 * commands do not give them again.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ARMS } from "../../../examples/experiment/plan.js";
import {
  type ConfigChanges,
  configWith,
  type StepKey,
  train,
} from "../../../examples/trainer/index.js";

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    arm: { type: "string", default: "papo-g" },
    seed: { type: "string", default: "1" },
    /** Settings that are others than the arm's: JSON. */
    changes: { type: "string", default: "{}" },
  },
});
const arm = ARMS.find(({ id }) => id === values.arm);
if (arm === undefined) {
  throw new Error(`expected --arm to be one of ${ARMS.map(({ id }) => id).join(", ")}`);
}
const config = configWith(JSON.parse(values.changes) as ConfigChanges, {
  ...arm.config,
  seed: Number(values.seed),
});
const MEASURED: readonly StepKey[] = [
  "perceptionKl",
  "perceptionKlVariance",
  "clipFraction",
  "entropy",
  "maskedEntropy",
];

const result = await train(config, {
  onBatch: (batch, record) => {
    if (batch % 20 === 0) console.log(batch, record.reward, ...MEASURED.map((key) => record[key]));
  },
});
if (result !== undefined && values.out !== undefined) {
  const { steps } = result;
  const responses = config.prompts * config.group;
  const columns: Record<string, readonly (number | null)[]> = {
    reward: steps.reward,
    tokens: steps.responseLength.map((length) => length && Math.round(length * responses)),
  };
  // What the arm's objective does not measure is not there.
  for (const key of MEASURED) if (!steps[key].includes(null)) columns[key] = steps[key];
  const rows = steps.reward.map((_, step) =>
    JSON.stringify(
      Object.values(columns).map((column) => Number((column[step] ?? Number.NaN).toPrecision(3))),
    ),
  );
  const given = process.argv.slice(2).map((word) => (/[^\w./-]/.test(word) ? `'${word}'` : word));
  const command = `npx tsx test/monitor/runs/record.ts ${given.join(" ")}`;
  const head = `"command":${JSON.stringify(command)},\n"keys":${JSON.stringify(Object.keys(columns))}`;
  writeFileSync(values.out, `{${head},\n"steps":[\n${rows.join(",\n")}\n]}\n`);
}
