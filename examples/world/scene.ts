/** What a task draws and asks: the same few things for every task. */
import type { Canvas } from "./canvas.js";
import type { Word } from "./vocabulary.js";

/** One thing to look at, with one question about it. */
export interface Scene {
  /** What is drawn, as small integers, without what makes the variants; the question is no part of it. */
  readonly content: readonly number[];
  /** Which of how many pictures of this content it is: in what colours or shapes it is drawn. */
  readonly variant: number;
  readonly variants: number;
  /** The question without any fact. */
  readonly question: readonly Word[];
  /** What has to be seen to answer; the answer follows from question and facts without looking. */
  readonly facts: readonly Word[];
  readonly answer: Word;
  paint(canvas: Canvas): void;
}
