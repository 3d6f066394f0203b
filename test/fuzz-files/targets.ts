/** What is fuzzed: how a case is made, and what must hold of it. */
import type fc from "fast-check";
import { batchTarget } from "./batch-target.js";
import { elfTarget } from "./elf-target.js";
import { imageTarget } from "./image-target.js";
import { readerTarget } from "./reader-target.js";
import { textTarget } from "./text-target.js";
import { writerTarget } from "./writer-target.js";

/** A kind of case. */
export interface Target {
  readonly name: string;
  /** Of all cases, roughly. */
  readonly share: number;
  /** A property of fast-check; `folder` is for its files. */
  readonly property: (folder: string) => fc.IRawProperty<unknown>;
  /** How its cases came out: a word for each. */
  readonly outcomes: ReadonlyMap<string, number>;
}

/** All of them. */
export const TARGETS: readonly Target[] = [
  readerTarget,
  batchTarget,
  writerTarget,
  elfTarget,
  imageTarget,
  textTarget,
];
