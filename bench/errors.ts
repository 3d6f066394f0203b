/**
 * The engine's errors against float64, by op, instruction set, dtype, vocabulary and distribution: `npm run bench:errors`.
 *
 * Each instruction set runs in a process of its own, since it is chosen once per process. The rows are
 * `test/support/hard-rows.ts`, what is measured of them `test/support/accuracy.ts`. The tables go between the markers of
 * native/math/README.md, every row's numbers into bench/results/errors.json, where those of instruction sets that were not measured
 * stay as they are. What is beyond the committed bounds of test/support/error-bounds.json fails the command.
 *
 *   npm run bench:errors                    every instruction set of this machine
 *   npm run bench:errors -- --bounds        sets the bounds of what was measured anew, and no others
 *   npm run bench:errors -- --stored        measures nothing: tables of errors.json, and with --bounds all bounds
 *   npm run bench:errors -- --child         one instruction set's rows on standard output, and nothing else
 *   npm run bench:errors -- --from FILE     takes what --child said on another machine for what was measured; repeatable
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { info } from "../lib/index.js";
import {
  BOUNDS,
  BOUNDS_FILE,
  beyond,
  committedBounds,
  errorsOf,
  groupOf,
  isAsked,
  type Quantity,
  type RowErrors,
  TIED_BOUNDS,
} from "../test/support/accuracy.js";
import { HARD_ROWS, type HardRow, hardRow, NEAR_KLS } from "../test/support/hard-rows.js";

const VOCAB_SIZES = [32, 1000, 32_000, 151_936, 262_144] as const;
/** The one that the bounds are for. */
const BOUND_VOCAB_SIZE = 151_936;
const DTYPES = ["float32", "bfloat16", "float16"] as const;
const ROWS: readonly HardRow[] = [...HARD_ROWS, "near"];
/**
 * A bound is the worst that was measured times this: the rows are always the same, and so are their errors, to the bit on one
 * instruction set but for the last digits of the C library's float64 functions.
 */
const MARGIN = 1.25;
/** Bounds below this would hold the C library to its last digits, and not the engine. */
const LEAST_BOUND = 1e-12;

const { values } = parseArgs({
  options: {
    bounds: { type: "boolean", default: false },
    stored: { type: "boolean", default: false },
    child: { type: "boolean", default: false },
    from: { type: "string", multiple: true },
  },
});

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

const COLUMNS: readonly (readonly [Quantity, string])[] = [
  ["logProb", "log-prob"],
  ["entropy", "entropy"],
  ["kl", "KL"],
  ["klRelative", "KL of near policies, relative"],
  ["merged", "all of them from parts"],
  ["loss", "loss"],
  ["lossGradient", "gradient of the loss, relative"],
  ["statisticsGradient", "gradient of statistics, relative"],
];

/** The rows that a column is about. */
function rowsOf(all: readonly Measured[], quantity: Quantity): readonly Measured[] {
  return all.filter((each) => isAsked(quantity, each.row, each));
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
    const missed = ROWS.flatMap((name) => {
      const rows = rowsOf(group, quantity).filter(({ row }) => row === name);
      if (rows.length === 0) return [];
      const { [quantity]: value } = worst(rows, quantity);
      const bound = (name === "ties" ? TIED_BOUNDS : BOUNDS)[quantity];
      return value > bound ? [`${name} ${value.toExponential(1)}`] : [];
    });
    const verdict = missed.length === 0 ? "everywhere" : `but for ${missed.join(", ")}`;
    const bound = BOUNDS[quantity].toExponential(0);
    const tied = TIED_BOUNDS[quantity].toExponential(0);
    const held = tied === bound ? bound : `${bound}, ties ${tied}`;
    return [title, held, cell(group, quantity), verdict];
  });
  return table(["float32, V = 151 936, every instruction set", "bound", "worst", "holds"], lines);
}

const root = fileURLToPath(new URL("../", import.meta.url));
const RESULTS = `${root}bench/results/errors.json`;

async function measuredOn(isa: string): Promise<Measured[]> {
  const child = [...process.execArgv, fileURLToPath(import.meta.url), "--child"];
  const env = { ...process.env, PAPO_CPU_ISA: isa };
  const { stdout } = await promisify(execFile)(process.execPath, child, {
    env,
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout) as Measured[];
}

/** Of each instruction set and dtype, of each kind of row: the worst over all vocabularies and the margin, rounded up. */
function boundsOf(all: readonly Measured[]): ReturnType<typeof committedBounds> {
  const upward = (value: number) => {
    const unit = 10 ** (Math.floor(Math.log10(value)) - 1);
    return Number((Math.ceil(value / unit) * unit).toPrecision(2));
  };
  const bound = (group: string, name: HardRow, quantity: Quantity) => {
    const own = all.filter(({ isa, dtype, row }) => groupOf(isa, dtype) === group && row === name);
    const asked = rowsOf(own, quantity);
    if (asked.length === 0) return [];
    const most = MARGIN * worst(asked, quantity)[quantity];
    return [[quantity, upward(Math.max(LEAST_BOUND, most))] as const];
  };
  const boundsOfRow = (group: string, name: HardRow) =>
    Object.fromEntries(COLUMNS.flatMap(([quantity]) => bound(group, name, quantity)));
  const groups = [...new Set(all.map(({ isa, dtype }) => groupOf(isa, dtype)))];
  return Object.fromEntries(
    groups.map((group) => [
      group,
      Object.fromEntries(ROWS.map((name) => [name, boundsOfRow(group, name)])),
    ]),
  );
}

/** What is asked for, and with --stored nothing. */
async function measuredNow(): Promise<Measured[]> {
  if (values.stored) return [];
  if (values.from) return values.from.flatMap(readMeasured);
  return (await Promise.all(info().isas.map(measuredOn))).flat();
}

function readMeasured(path: string): Measured[] {
  return JSON.parse(readFileSync(path, "utf8")) as Measured[];
}

async function main(): Promise<void> {
  const stored = readMeasured(RESULTS);
  const measured = await measuredNow();
  const isas = [...new Set([...stored, ...measured].map(({ isa }) => isa))];
  const all = isas.flatMap((name) => {
    const own = measured.filter(({ isa }) => isa === name);
    return own.length > 0 ? own : stored.filter(({ isa }) => isa === name);
  });
  if (values.bounds) {
    const bounds = { ...committedBounds(), ...boundsOf(values.stored ? all : measured) };
    writeFileSync(BOUNDS_FILE, `${JSON.stringify(bounds, null, 2)}\n`);
  }
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
  writeFileSync(RESULTS, `[\n${lines.join(",\n")}\n]\n`);
  console.log(text);
  const committed = committedBounds();
  const failures = all.flatMap(({ isa, dtype, vocabSize, row, ...errors }) => {
    const bounds = committed[groupOf(isa, dtype)]?.[row];
    if (bounds === undefined) return [`${isa} ${dtype} ${row} has no bounds`];
    return beyond(bounds, row, errors).map((text) => `${isa} ${dtype} ${vocabSize}: ${text}`);
  });
  for (const failure of failures) console.error(failure);
  if (failures.length > 0) process.exitCode = 1;
}

if (values.child) console.log(JSON.stringify(measureAll()));
else await main();
