/** What a finished run leaves behind: `<arm>/seed-<n>.json`, complete or not there at all, and whether it is the plan's. */
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { RunResult } from "../trainer/index.js";
import type { PlannedRun } from "./plan.js";

/** A run as it is stored: its result in numbers of four digits, settings in full; null where a number is not finite. */
export interface StoredRun extends RunResult {
  readonly arm: string;
  /** Commit of the code that ran it. */
  readonly commit: string;
}

/** Where runs leave their results, and what they need until then. */
export interface Folders {
  readonly results: string;
  readonly work: string;
}

/** Significant digits of measured numbers. */
const DIGITS = 4;

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export function resultPath({ results }: Folders, { arm, seed }: PlannedRun): string {
  return join(results, arm.id, `seed-${seed}.json`);
}

/** Of a run that is not finished; other settings have another file, so that none goes on with another's weights. */
export function checkpointPath({ work }: Folders, { arm, seed, config }: PlannedRun): string {
  const settings = createHash("sha256").update(JSON.stringify(sorted(asJson(config))));
  return join(work, `${arm.id}-seed-${seed}-${settings.digest("hex").slice(0, 8)}.safetensors`);
}

/** What the last attempt said before it failed. */
export function failurePath({ work }: Folders, { arm, seed }: PlannedRun): string {
  return join(work, `${arm.id}-seed-${seed}.failed.log`);
}

/** How a run stands with its result. */
export type Standing =
  | { readonly state: "missing" }
  | { readonly state: "done"; readonly result: StoredRun }
  /** There is a result, but not of these settings: what differs, or why it cannot be read. */
  | { readonly state: "other"; readonly differences: readonly string[] };

export function standingOf(folders: Folders, run: PlannedRun): Standing {
  const path = resultPath(folders, run);
  let result: StoredRun;
  try {
    result = readRun(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return { state: "missing" };
    }
    return {
      state: "other",
      differences: [error instanceof Error ? error.message : String(error)],
    };
  }
  const differences = differencesOf(asJson(run.config), asJson(result.config));
  return differences.length === 0 ? { state: "done", result } : { state: "other", differences };
}

/** @throws Error where there is no such file, or no result in it */
export function readRun(path: string): StoredRun {
  const text = readFileSync(path, "utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is not JSON`, { cause });
  }
  if (typeof json === "object" && json !== null && "config" in json) return json as StoredRun;
  throw new Error(`${path} holds no result of a run`);
}

/** Writes it as compact JSON: settings in full, measured numbers in four digits, one line per list of numbers. */
export function writeRun(path: string, run: StoredRun): void {
  const { config, ...measured } = run;
  const { arm, commit, ...rest } = rounded(asJson(measured)) as { readonly [key: string]: Json };
  writeAtomically(path, `${layout({ arm, commit, config: asJson(config), ...rest } as Json)}\n`);
}

/** The file is as it was or complete, whenever the process or the machine stops: a new file takes its name. */
export function writeAtomically(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  // Always the same name: what a killed process left there is overwritten, not collected.
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, "w");
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/** Paths of values that are not the same, each with both: "mask.ratio: 0.6 planned, 0.4 there". */
export function differencesOf(planned: Json, there: Json, path = ""): string[] {
  if (isDeepStrictEqual(planned, there)) return [];
  if (!isRecord(planned) || !isRecord(there)) {
    return [`${path}: ${word(planned)} planned, ${word(there)} there`];
  }
  const keys = [...new Set([...Object.keys(planned), ...Object.keys(there)])];
  return keys.flatMap((key) =>
    differencesOf(planned[key] as Json, there[key] as Json, path === "" ? key : `${path}.${key}`),
  );
}

function word(value: Json | undefined): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

function isRecord(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What JSON makes of a value: no undefined, null for numbers that are not finite, plain lists for typed ones. */
function asJson(value: unknown): Json {
  const plain = (_key: string, inner: unknown) =>
    ArrayBuffer.isView(inner) ? Array.from(inner as unknown as ArrayLike<number>) : inner;
  return JSON.parse(JSON.stringify(value, plain)) as Json;
}

function sorted(value: Json): Json {
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** Whole numbers stay: they count. */
function rounded(value: Json): Json {
  if (typeof value === "number") {
    return Number.isInteger(value) ? value : Number(value.toPrecision(DIGITS));
  }
  if (isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]));
  }
  return Array.isArray(value) ? value.map(rounded) : value;
}

/** JSON text in which what holds nothing but plain values takes one line. */
function layout(value: Json, indent = ""): string {
  const inner = `${indent} `;
  const isFlat = (part: Json) => typeof part !== "object" || part === null;
  if (isFlat(value) || Object.values(value as object).every(isFlat)) return JSON.stringify(value);
  if (Array.isArray(value)) {
    return `[\n${value.map((part) => inner + layout(part, inner)).join(",\n")}\n${indent}]`;
  }
  const parts = Object.entries(value as object).map(
    ([key, part]) => `${inner}${JSON.stringify(key)}: ${layout(part, inner)}`,
  );
  return `{\n${parts.join(",\n")}\n${indent}}`;
}
