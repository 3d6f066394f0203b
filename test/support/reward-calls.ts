/** A valid call of every verb of `papo/rewards`, for tests that spoil one of its fields. */
import { boxedAnswer, formatReward, mathEqual, mathReward } from "../../lib/rewards/index.js";

type Fields = Record<string, unknown>;
type Calls = Record<string, readonly [(fields: Fields) => unknown, () => Fields]>;

const RESPONSE = "<think>half</think> \\boxed{\\frac{1}{2}}";

export const REWARD_CALLS: Calls = {
  "rewards.mathEqual": [
    ({ answer, reference, options }) =>
      mathEqual(answer as never, reference as never, options as never),
    () => ({ answer: "0.5", reference: "1/2", options: { tolerance: 0.01 } }),
  ],
  "rewards.mathEqual, options": [
    (options) => mathEqual("0.5", "1/2", options),
    () => ({ tolerance: 0.01 }),
  ],
  "rewards.boxedAnswer": [
    ({ response }) => boxedAnswer(response as never),
    () => ({ response: RESPONSE }),
  ],
  "rewards.formatReward": [
    ({ response }) => formatReward(response as never),
    () => ({ response: RESPONSE }),
  ],
  "rewards.mathReward": [
    (f) => mathReward(f as never),
    () => ({
      response: RESPONSE,
      reference: "1/2",
      formatWeight: 0.1,
      tolerance: 0,
      equal: (a: string, b: string) => a === b,
    }),
  ],
};
