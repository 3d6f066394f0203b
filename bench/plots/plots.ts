/** Every plot of a result, in the order in which README.md shows them. */
import { type DrawnPart, partOf } from "../report/parts.js";
import type { BenchResult, Part } from "../result.js";
import { curves } from "./curves.js";
import type { Picture } from "./frame.js";
import { peers } from "./peers.js";
import { shares } from "./shares.js";

export interface PlotOfResult {
  /** Name of the file, without its ending. */
  readonly file: string;
  /** Takes the width of a page; others share it in twos. */
  readonly wide?: boolean;
  /** Undefined where the result does not have what it draws. */
  readonly draw: (result: BenchResult) => Picture | undefined;
}

/** Draws one part, where the result has it. */
function from(name: DrawnPart, draw: (part: Part) => Picture | undefined) {
  return (result: BenchResult): Picture | undefined => {
    const part = partOf(result, name);
    return part && draw(part);
  };
}

export const PLOTS: readonly PlotOfResult[] = [
  { file: "peers", wide: true, draw: from("peers", peers) },
  { file: "shares", draw: from("forms", shares) },
  {
    file: "threads",
    draw: from("threads", (part) => curves(part, "threads", "Cost against threads")),
  },
  {
    file: "vocabulary",
    draw: from("vocab", (part) => curves(part, "vocab", "Cost against the vocabulary")),
  },
  { file: "rows", draw: from("rows", (part) => curves(part, "rows", "Cost against rows")) },
];
