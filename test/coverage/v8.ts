/** Lines that no process ran, from V8's reports: NODE_V8_COVERAGE. */
import { tokensOf } from "./code.js";

/** What of V8's report is read: its offsets are characters, its inner ranges count instead of the outer ones. */
export interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

/** Of the text that was run, in characters: what tsx makes of a file is another one. */
export function lengthOf({ functions }: Script): number {
  return Math.max(...functions.flatMap(({ ranges }) => ranges.map((range) => range.endOffset)));
}

/** Adds to `ran`, one element per character, what ran according to one report. */
export function addRun(ran: Uint8Array, { functions }: Script): void {
  const ranges = functions
    .flatMap(({ ranges }) => ranges)
    .sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  const here = new Uint8Array(ran.length);
  for (const { startOffset, endOffset, count } of ranges) {
    here.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  }
  for (let index = 0; index < ran.length; index += 1) if (here[index] !== 0) ran[index] = 1;
}

export interface Lines {
  readonly total: number;
  /** From 1. */
  readonly uncovered: readonly number[];
}

/** Lines with code, and those of which some did not run. */
export function linesOf(javascript: string, ran: Uint8Array): Lines {
  const open = new Map<number, boolean>();
  let line = 1;
  let at = 0;
  for (const [start, end] of tokensOf(javascript)) {
    while (at < end) {
      if (at >= start && javascript[at] !== "\n" && javascript[at] !== " ") {
        open.set(line, (open.get(line) ?? false) || ran[at] === 0);
      }
      if (javascript[at] === "\n") line += 1;
      at += 1;
    }
  }
  return { total: open.size, uncovered: [...open].filter(([, is]) => is).map(([line]) => line) };
}
