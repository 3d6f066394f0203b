/** How well the policy answers questions about images of scenes it was never trained on. */
import type { Policy } from "./policy.js";
import { answerGreedily } from "./rollouts.js";
import { isRight, KINDS, type Kind, type Problem, reward } from "./world.js";

/** Of greedy answers. */
export interface Assessment {
  /** Fraction of answers that are right in every word. */
  readonly right: number;
  /** Mean; at most 1. */
  readonly reward: number;
  /** Fractions of right answers. */
  readonly rightByKind: Readonly<Record<Kind, number>>;
  /** One for each problem, token ids. */
  readonly answers: readonly number[][];
}

/** @param images  what the policy gets to see instead of the problems' own images */
export function assess(
  policy: Policy,
  problems: readonly Problem[],
  images: readonly Float32Array[] = problems.map(({ image }) => image),
): Assessment {
  const questions = problems.map(({ question }) => question);
  const answers = answerGreedily(policy, { images, questions });
  const right = (problem: Problem, answer: number[]): number => (isRight(problem, answer) ? 1 : 0);
  const meanOf = (value: typeof right, kind?: Kind): number => {
    const values = problems.flatMap((problem, at) =>
      kind === undefined || problem.kind === kind ? [value(problem, answers[at] as number[])] : [],
    );
    return values.reduce((sum, one) => sum + one, 0) / values.length;
  };
  return {
    right: meanOf(right),
    reward: meanOf(reward),
    rightByKind: Object.fromEntries(
      KINDS.map((kind) => [kind, meanOf(right, kind)]),
    ) as Assessment["rightByKind"],
    answers,
  };
}
