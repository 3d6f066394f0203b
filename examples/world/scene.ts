/** What a task draws and asks: the same few things for every task. */
import type { Canvas } from "./canvas.js";
import type { Word } from "./vocabulary.js";

/** One thing to look at, with one question about it. */
export interface Scene {
  /** What is drawn, as small integers; the question is no part of it. Colours may be left out. */
  readonly content: readonly number[];
  /** Which of how many possible colourings of this content it is; 0 of 1 if the content says it all. */
  readonly colouring: number;
  readonly colourings: number;
  /** The question without any fact. */
  readonly question: readonly Word[];
  /** What has to be seen to answer; the answer follows from question and facts without looking. */
  readonly facts: readonly Word[];
  readonly answer: Word;
  paint(canvas: Canvas): void;
}
