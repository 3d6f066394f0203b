/** Results as a file and as the table that README.md carries between its markers. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { binding } from "../lib/addon/load.js";
import manifest from "../package.json" with { type: "json" };
import type { Experiment, Measurement } from "./measure.js";

export interface Machine {
  readonly cpu: string;
  readonly processors: number;
  readonly system: string;
  readonly node: string;
  readonly compiler: string;
  readonly isa: string;
  readonly tfjs: string;
  readonly commit: string;
}

export interface Result extends Experiment {
  /** ISO date. */
  readonly date: string;
  readonly machine: Machine;
}

const root = fileURLToPath(new URL("../", import.meta.url));
const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";

export function machine(): Machine {
  const { isa, compiler } = binding().info();
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? "unknown",
    processors: cpus().length,
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    compiler,
    isa,
    tfjs: manifest.devDependencies["@tensorflow/tfjs-backend-wasm"],
    commit: commit(),
  };
}

/** Short hash of the commit that was measured, with a "+" where files differ from it. */
function commit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}

/** Writes `bench/results/<date>-<cpu>.json` and gives its path. */
export function save(result: Result): string {
  const name = `${result.date}-${result.machine.cpu}`.toLowerCase().replace(/[^a-z0-9-]+/g, "-");
  mkdirSync(`${root}bench/results`, { recursive: true });
  const path = `bench/results/${name.replace(/-+$/, "")}.json`;
  writeFileSync(`${root}${path}`, `${JSON.stringify(result, null, 2)}\n`);
  return path;
}

/** The table: one line per contender, and under it what it was measured on. */
export function table(result: Result): string {
  const { machine, measurements, copyBandwidth } = result;
  const base = measurements.find(({ name }) => name === "fused-one-thread");
  const copy = Object.entries(copyBandwidth)
    .map(([threads, { median }]) => `${digits(median / 1e9)} GB/s on ${plural(threads, "thread")}`)
    .join(", ");
  const lines = measurements.map((measurement) => cells(measurement, result, base));
  const header = Object.keys(lines[0] ?? {});
  return [
    row(header),
    row(header.map((_, i) => (i === 0 ? "---" : "---:"))),
    ...lines.map((line) => row(Object.values(line))),
    "",
    `${machine.cpu} (${plural(machine.processors, "processor")}, ${machine.isa}), Node ${machine.node}, ` +
      `${machine.compiler}, TensorFlow.js ${machine.tfjs}, commit ${machine.commit}, ${result.date}. ` +
      `Copy (memcpy in the same rounds): ${copy}.`,
  ].join("\n");
}

function cells(m: Measurement, result: Result, base: Measurement | undefined) {
  const perLogit = nanosecondsPerLogit(m);
  const ratio = base && m !== base ? ` (${digits(perLogit / nanosecondsPerLogit(base))}×)` : "";
  const bandwidth = m.bytes / (m.time.median / 1000);
  const copy = result.copyBandwidth[m.threads]?.median;
  const error = (value: number) => (value === 0 ? "0" : value.toExponential(0));
  return {
    "loss and both gradients": m.label,
    "rows × vocabulary": `${m.rows} × ${m.vocab}`,
    threads: String(m.threads),
    ms: `${digits(m.time.median)} ± ${(100 * m.time.spread).toFixed(0)} %`,
    "ns per logit": `${digits(perLogit)}${ratio}`,
    "GB/s": digits(bandwidth / 1e9),
    "share of copy": copy === undefined ? "–" : `${digits((100 * bandwidth) / copy)} %`,
    "memory beyond in- and outputs":
      m.extraBytes === undefined ? "–" : `${(m.extraBytes / 2 ** 20).toFixed(0)} MiB`,
    "error of the loss": error(m.lossError),
    "error of the gradients": error(m.gradError),
    outputs: m.outputs,
  };
}

function nanosecondsPerLogit({ time, rows, vocab }: Measurement): number {
  return (time.median * 1e6) / (2 * rows * vocab);
}

/** Puts the table between the markers of README.md; false where it has none. */
export function updateReadme(text: string): boolean {
  const path = `${root}README.md`;
  let readme: string;
  try {
    readme = readFileSync(path, "utf8");
  } catch {
    return false;
  }
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) return false;
  writeFileSync(
    path,
    `${readme.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${readme.slice(end)}`,
  );
  return true;
}

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const plural = (count: number | string, noun: string) =>
  `${count} ${noun}${Number(count) === 1 ? "" : "s"}`;

/** Two significant digits, without an exponent. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}
