/** The parts that README.md draws from; any other has its table in bench/results/README.md. */
import type { BenchResult, Part } from "../result.js";

export type DrawnPart = "forms" | "vocab" | "rows" | "threads" | "peers";

export const partOf = (result: BenchResult, name: DrawnPart): Part | undefined =>
  result.parts.find((part) => part.name === name);
