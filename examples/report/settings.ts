/** The settings of every arm as its result files hold them: what anyone needs to run it again. */
import type { RunResult } from "../trainer/index.js";
import { escaped } from "./numbers.js";
import type { Laboratory } from "./runs.js";
import { table } from "./table.js";

export function settingsTable(laboratory: Laboratory): string {
  const columns = [
    { title: "preset" },
    { title: "changed in it" },
    { title: "mask" },
    { title: "dynamic sampling" },
    { title: "batches" },
    { title: "seeds" },
  ];
  const rows = [...laboratory.arms].flatMap(([name, runs]) => {
    const [first] = runs.values();
    if (first === undefined) return [];
    const { config } = first;
    return [
      {
        name,
        cells: [
          escaped(`${config.objective.preset}, ${config.objective.form}`),
          changesOf(config),
          `${config.mask.strategy} ${config.mask.ratio}`,
          config.dynamicSampling ? "yes" : "no",
          String(config.batches),
          [...runs.keys()].join(", "),
        ],
      },
    ];
  });
  return rows.length === 0 ? "" : table("arm", columns, rows);
}

/** "perceptionKlCoef 0.2, refKlCoef 0; from batch 60: perceptionKl 0.04". */
function changesOf({ objective }: RunResult["config"]): string {
  const { changes, later, backoff } = objective;
  const now = wordsOf(changes);
  const then = later === null ? "" : `from batch ${later.batch}: ${wordsOf(later.coefficients)}`;
  const follows = backoff ? "γ backs off at the monitor's alarm" : "";
  return [now, then, follows].filter((part) => part !== "").join("; ");
}

function wordsOf(values: object): string {
  return escaped(
    Object.entries(values)
      .map(
        ([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`,
      )
      .join(", "),
  );
}
