/**
 * The engine's errors against float64, by instruction set, dtype, vocabulary and distribution: `npm run bench:errors`.
 *
 * Each instruction set runs in a process of its own, since it is chosen once per process. The rows and what is
 * measured of them are `test/support/accuracy.ts`, which the tests hold to the bounds. The tables go between the
 * markers of native/math/README.md, every row's numbers into bench/results/errors.json.
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { info } from "../lib/index.js";
import {
  BOUNDS,
  errorsOf,
  HARD_ROWS,
  type HardRow,
  hardRow,
  NEAR_KLS,
  type RowErrors,
} from "../test/support/accuracy.js";

const VOCAB_SIZES = [32_000, 151_936, 262_144] as const;
/** The one that the bounds are for. */
const BOUND_VOCAB_SIZE = 151_936;
const DTYPES = ["float32", "bfloat16", "float16"] as const;

interface Measured extends RowErrors {
  readonly isa: string;
  readonly dtype: (typeof DTYPES)[number];
  readonly vocabSize: number;
  readonly row: HardRow;
}

function measureAll(): Measured[] {
  const { isa } = info();
  const rows: readonly (readonly [HardRow, seed: number, kl: number])[] = [
    ...HARD_ROWS.flatMap((row) => [0, 1].map((seed) => [row, seed, 0] as const)),
    ...NEAR_KLS.map((kl, seed) => ["near", seed, kl] as const),
  ];
  return VOCAB_SIZES.flatMap((vocabSize) =>
    rows.flatMap(([row, seed, kl]) => {
      const pair = hardRow(row, vocabSize, seed, kl);
      return DTYPES.map((dtype) => ({ isa, dtype, vocabSize, row, ...errorsOf(pair, dtype) }));
    }),
  );
}

type Quantity = Exclude<keyof RowErrors, "trueKl">;

const COLUMNS: readonly (readonly [Quantity, string])[] = [
  ["logProb", "log-prob"],
  ["entropy", "entropy"],
  ["kl", "KL"],
  ["klRelative", "KL of near policies, relative"],
  ["lossGradient", "gradient of the loss, relative"],
  ["statisticsGradient", "gradient of statistics, relative"],
];

/** The rows that a column is about. */
function rowsOf(all: readonly Measured[], quantity: Quantity): readonly Measured[] {
  if (quantity !== "klRelative") return all;
  return all.filter(({ row, trueKl }) => row === "near" && trueKl > 0.9e-10);
}

function worst(all: readonly Measured[], quantity: Quantity): Measured {
  return rowsOf(all, quantity).reduce((a, b) => (b[quantity] > a[quantity] ? b : a));
}

function cell(all: readonly Measured[], quantity: Quantity): string {
  const { [quantity]: value, row } = worst(all, quantity);
  return `${value.toExponential(1)} ${row}`;
}

function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const rule = header.map((_, i) => (i < 2 ? "---" : "---:"));
  return [header, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Worst over all vocabularies. */
function everything(all: readonly Measured[], isas: readonly string[]): string {
  const header = ["instruction set", "logits", ...COLUMNS.map(([, title]) => title)];
  const lines = isas.flatMap((isa) =>
    DTYPES.map((dtype) => {
      const group = all.filter((each) => each.isa === isa && each.dtype === dtype);
      return [isa, dtype, ...COLUMNS.map(([quantity]) => cell(group, quantity))];
    }),
  );
  return table(header, lines);
}

/** float32 at the vocabulary of the bounds: which hold, and which rows miss them. */
function bounds(all: readonly Measured[]): string {
  const group = all.filter(
    ({ dtype, vocabSize }) => dtype === "float32" && vocabSize === BOUND_VOCAB_SIZE,
  );
  const lines = COLUMNS.map(([quantity, title]) => {
    const bound = BOUNDS[quantity];
    const missed = HARD_ROWS.concat("near" as never).flatMap((name) => {
      const rows = rowsOf(group, quantity).filter(({ row }) => row === name);
      if (rows.length === 0) return [];
      const { [quantity]: value } = worst(rows, quantity);
      return value > bound ? [`${name} ${value.toExponential(1)}`] : [];
    });
    const verdict = missed.length === 0 ? "everywhere" : `but for ${missed.join(", ")}`;
    return [title, bound.toExponential(0), cell(group, quantity), verdict];
  });
  return table(["float32, V = 151 936, every instruction set", "bound", "worst", "holds"], lines);
}

const root = fileURLToPath(new URL("../", import.meta.url));

async function measuredOn(isa: string): Promise<Measured[]> {
  const child = [...process.execArgv, fileURLToPath(import.meta.url), "--child"];
  const env = { ...process.env, PAPO_CPU_ISA: isa };
  const { stdout } = await promisify(execFile)(process.execPath, child, {
    env,
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout) as Measured[];
}

async function main(): Promise<void> {
  const { isas } = info();
  const all = (await Promise.all(isas.map(measuredOn))).flat();
  const path = `${root}native/math/README.md`;
  const page = readFileSync(path, "utf8");
  const [begin, end] = ["<!-- errors:begin -->", "<!-- errors:end -->"];
  const [before, after] = [page.indexOf(begin), page.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`${path} has lost its markers`);
  const text = `${bounds(all)}\n\n${everything(all, isas)}`;
  writeFileSync(path, `${page.slice(0, before + begin.length)}\n${text}\n${page.slice(after)}`);
  const brief = (_: string, value: unknown) =>
    typeof value === "number" && value < 1 ? Number(value.toPrecision(3)) : value;
  const lines = all.map((errors) => JSON.stringify(errors, brief));
  writeFileSync(`${root}bench/results/errors.json`, `[\n${lines.join(",\n")}\n]\n`);
  console.log(text);
}

if (process.argv.includes("--child")) console.log(JSON.stringify(measureAll()));
else await main();
