/** The tables of the report: accuracies and differences of the runs, beside the paper's. */
import { type Estimate, estimate } from "../experiment/statistics.js";
import { type Ablation, MAIN_ARMS, PAIRS } from "./arms.js";
import { differenceOf, meanOf } from "./comparison.js";
import {
  ERROR_KINDS,
  errorRate,
  errorShare,
  final,
  initial,
  lostWithoutImage,
  meanHeight,
  type ReadingName,
} from "./measures.js";
import { percent, percentWithin, points, signed } from "./numbers.js";
import { PAPER_ERRORS, type PaperModel, paperRow } from "./paper.js";
import { type Laboratory, runsOf } from "./runs.js";
import { type Column, intervalBar, type Row, reachOf, table } from "./table.js";

const VIEWS: readonly { readonly name: ReadingName; readonly title: string }[] = [
  { name: "overall", title: "overall" },
  { name: "vision", title: "vision-dependent" },
  { name: "text", title: "text-aided" },
];
const DETAILS: readonly { readonly name: ReadingName; readonly title: string }[] = [
  { name: "addition", title: "addition" },
  { name: "counting", title: "counting" },
  { name: "comparison", title: "comparison" },
  { name: "lines", title: "lines" },
  { name: "clean", title: "clean images" },
  { name: "noisy", title: "noisy images" },
];
const MODELS = ["3B", "7B"] as const;

/** Final accuracy of the main arms, percent, beside the paper's. */
export function finalTable(laboratory: Laboratory): string {
  const columns: Column[] = [
    { title: "seeds", group: "here" },
    ...VIEWS.map(({ title }) => ({ title, group: "here" })),
    ...MODELS.flatMap((model) => paperColumns(model)),
  ];
  const before: Row = {
    name: "cold start",
    cells: [
      "",
      ...VIEWS.map((view) => within(atFirst(laboratory, view.name))),
      ...MODELS.flatMap(() => ["", "", ""]),
    ],
  };
  const rows = MAIN_ARMS.map(({ id, name }) => ({
    name,
    cells: [
      String(runsOf(laboratory, id).size || ""),
      ...VIEWS.map((view) => within(meanOf(laboratory, id, final(view.name)))),
      ...MODELS.flatMap((model) => paperCells(model, "Table 1", id)),
    ],
  }));
  return table("arm", columns, [before, ...rows]);
}

/** What PAPO adds to each baseline, in points, beside the paper's. */
export function gainTable(laboratory: Laboratory): string {
  const rows = [
    { name: "overall", measure: final("overall"), key: "overall" },
    { name: "vision-dependent", measure: final("vision"), key: "vision" },
    { name: "text-aided (paper: general)", measure: final("text"), key: "general" },
    { name: "mean of the curve, overall", measure: meanHeight("overall") },
  ] as const;
  const columns = PAIRS.flatMap(({ name: group }) => [
    { title: "here", group },
    ...MODELS.map((model) => ({ title: `paper ${model}`, group })),
  ]);
  return table(
    "points",
    columns,
    rows.map((row) => ({
      name: row.name,
      cells: PAIRS.flatMap(({ arm, base }) => [
        difference(differenceOf(laboratory, arm, base, row.measure)),
        ...MODELS.map((model) => {
          const [first, second] = [arm, base].map((of) => paperRow("Table 1", model, of));
          return first && second && "key" in row ? signed(first[row.key] - second[row.key]) : "";
        }),
      ]),
    })),
  );
}

/** Final accuracy by task and by noise, percent. */
export function detailTable(laboratory: Laboratory): string {
  const rows = MAIN_ARMS.map(({ id, name }) => ({
    name,
    cells: DETAILS.map((detail) => within(meanOf(laboratory, id, final(detail.name)))),
  }));
  const cells = DETAILS.map((detail) => within(atFirst(laboratory, detail.name)));
  return table("arm", DETAILS, [{ name: "cold start", cells }, ...rows]);
}

/** Accuracy with a black image, and how far policy and masked policy are apart. */
export function maskedTable(laboratory: Laboratory): string {
  const columns = [
    { title: "vision-dependent", group: "black image" },
    { title: "text-aided", group: "black image" },
    { title: "vision-dependent", group: "lost with the image, points" },
    { title: "text-aided", group: "lost with the image, points" },
    { title: "KL(policy ‖ masked), nats" },
  ];
  const rows = MAIN_ARMS.map(({ id, name }) => {
    const kl = meanOf(laboratory, id, final("kl"));
    return {
      name,
      cells: [
        within(meanOf(laboratory, id, final("maskedVision"))),
        within(meanOf(laboratory, id, final("maskedText"))),
        within(meanOf(laboratory, id, lostWithoutImage("vision"))),
        within(meanOf(laboratory, id, lostWithoutImage("text"))),
        nats(kl),
      ],
    };
  });
  const before: Row = {
    name: "cold start",
    cells: [
      within(atFirst(laboratory, "maskedVision")),
      within(atFirst(laboratory, "maskedText")),
      "",
      "",
      nats(atFirst(laboratory, "kl")),
    ],
  };
  return table("arm", columns, [before, ...rows]);
}

/** Why answers are wrong. */
export function errorTable(laboratory: Laboratory): string {
  const columns: Column[] = [
    ...ERROR_KINDS.map((title) => ({ title, group: "share of the wrong answers, %" })),
    { title: "perception", group: "of all answers, %" },
    { title: "against the baseline", group: "of all answers, %" },
  ];
  const rows: Row[] = MAIN_ARMS.map(({ id, name }) => {
    const base = PAIRS.find(({ arm }) => arm === id)?.base;
    return {
      name,
      cells: [
        ...ERROR_KINDS.map((kind) => within(meanOf(laboratory, id, errorShare(kind)))),
        within(meanOf(laboratory, id, errorRate("perception"))),
        base === undefined
          ? ""
          : difference(differenceOf(laboratory, id, base, errorRate("perception")), true),
      ],
    };
  });
  const paper: Row = {
    name: "paper, GRPO-3B",
    cells: [percent(PAPER_ERRORS.perceptionShare, 0).replace(/\s%/, ""), "", "", "", ""],
  };
  return table("arm", columns, [...rows, paper]);
}

/** Arms of an ablation, each compared with the base arm over their common seeds. */
export function ablationTable(laboratory: Laboratory, { arms, base, models }: Ablation): string {
  const overall = final("overall");
  const compared = arms.map(({ id }) =>
    id === base ? undefined : differenceOf(laboratory, id, base, overall),
  );
  const reach = reachOf(compared);
  const columns: Column[] = [
    { title: "seeds", group: "here" },
    { title: "overall", group: "here" },
    { title: "vision-dep.", group: "here" },
    { title: `against the base`, group: "here" },
    { title: "", group: "here" },
    ...models.flatMap((model) => [
      { title: "overall", group: `paper ${model}` },
      { title: "vision-dep.", group: `paper ${model}` },
    ]),
  ];
  const rows = arms.map(({ id, label, paper }, at) => ({
    name: label,
    base: id === base,
    cells: [
      String(runsOf(laboratory, id).size || ""),
      within(meanOf(laboratory, id, overall)),
      within(meanOf(laboratory, id, final("vision"))),
      id === base ? "base" : difference(compared[at]),
      id === base ? "&nbsp;" : intervalBar(compared[at], reach),
      ...models.flatMap((model) => {
        const row = paper?.[model];
        if (row === undefined) return ["", ""];
        const mark = row.collapsed ? " †" : "";
        return [`${row.overall.toFixed(2)}${mark}`, `${row.vision.toFixed(2)}${mark}`];
      }),
    ],
  }));
  return table("setting", columns, rows);
}

function paperColumns(model: PaperModel): Column[] {
  return ["overall", "vision-dep.", "general"].map((title) => ({ title, group: `paper ${model}` }));
}

function paperCells(model: PaperModel, name: string, method: string): string[] {
  const row = paperRow(name, model, method);
  if (row === undefined) return ["", "", ""];
  return [row.overall, row.vision, row.general].map((value) => value.toFixed(2));
}

/** Before any reinforcement learning, over the seeds of the main arms; what arms of a seed share counts once. */
function atFirst(laboratory: Laboratory, name: ReadingName): Estimate | undefined {
  const values = new Map<number, number>();
  for (const { id } of MAIN_ARMS) {
    for (const [seed, run] of runsOf(laboratory, id)) {
      const value = initial(name)(run);
      if (value !== undefined) values.set(seed, value);
    }
  }
  return values.size === 0 ? undefined : estimate([...values.values()]);
}

function nats(value: Estimate | undefined): string {
  if (value === undefined) return "";
  const { mean, halfWidth } = value;
  return Number.isNaN(halfWidth)
    ? mean.toFixed(2)
    : `${mean.toFixed(2)} ±\u00a0${halfWidth.toFixed(2)}`;
}

function within(value: Estimate | undefined): string {
  return value === undefined ? "" : percentWithin(value);
}

/** Points, green where higher and red where lower; the other way round for errors. */
function difference(value: Estimate | undefined, lowerIsBetter = false): string {
  if (value === undefined) return "";
  const { low, high } = value;
  const [up, down] = lowerIsBetter ? ["worse", "better"] : ["better", "worse"];
  const colour = low > 0 ? up : high < 0 ? down : "even";
  return `<span class="${colour}">${points(value)}</span>`;
}
