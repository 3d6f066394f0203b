/** The verifiable reward of a response, and what went wrong in it. */
import type { Problem } from "./problem.js";
import { END, END_THINK, isWord, RESPONSE_LENGTH, THINK } from "./vocabulary.js";

export interface Judgement {
  /** 1 for THINK, one to four words, END_THINK, one word, END. */
  readonly format: 0 | 1;
  /** 1 for the right answer in a response of that format. */
  readonly accuracy: 0 | 1;
  /** 1 for a thought that says what is to be seen, word for word, in a response of that format. */
  readonly thought: 0 | 1;
  /** 0.9 · accuracy + 0.1 · format: the weights of the PAPO authors' reward function. */
  readonly reward: number;
  /**
   * Why there is no right answer: not seen rightly (the thought is wrong), not concluded rightly from a right thought,
   * or not well-formed. A right answer after a wrong thought is no error.
   */
  readonly error: "none" | "perception" | "reasoning" | "format";
}

const MALFORMED: Judgement = { format: 0, accuracy: 0, thought: 0, reward: 0, error: "format" };

/** Judges a response: token ids up to and including END. */
export function judge(problem: Problem, response: readonly number[]): Judgement {
  if (!isWellFormed(response)) return MALFORMED;
  const thought = isSame(response.slice(1, -3), problem.thought) ? 1 : 0;
  const accuracy = response.at(-2) === problem.answer ? 1 : 0;
  const why = thought === 1 ? "reasoning" : "perception";
  return {
    format: 1,
    accuracy,
    thought,
    reward: accuracy === 1 ? 1 : 0.1,
    error: accuracy === 1 ? "none" : why,
  };
}

function isWellFormed(response: readonly number[]): boolean {
  const thought = response.slice(1, -3);
  const [closing, answer, end] = response.slice(-3);
  return (
    response.length <= RESPONSE_LENGTH &&
    response[0] === THINK &&
    thought.length > 0 &&
    thought.every(isWord) &&
    closing === END_THINK &&
    answer !== undefined &&
    isWord(answer) &&
    end === END
  );
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((token, at) => token === other[at]);
}
