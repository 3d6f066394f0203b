/** Held-out problems with what the policy says to them: before, after, and after with the image masked. */
import { generate, Policy } from "../policy/index.js";
import type { Sample } from "../report/run-page.js";
import { heldOutProblems } from "../trainer/evaluation.js";
import type { RunConfig } from "../trainer/index.js";
import { maskedImages } from "../trainer/masking.js";
import { promptsOf } from "../trainer/rollouts.js";
import { loadRun } from "../trainer/run-state.js";
import { judge, type Problem, say } from "../world/index.js";

/** Three of each task in each form. */
const SAMPLES = 24;

/**
 * The most likely responses of the two policies that a checkpoint holds: that of the cold start, and the trained one.
 *
 * @param checkpoint  path of a finished run of `config`
 */
export async function samplesOf(checkpoint: string, config: RunConfig): Promise<Sample[]> {
  const { weights, reference } = await loadRun(checkpoint, config);
  const problems = heldOutProblems(SAMPLES);
  const masked = maskedImages(problems, config.mask, { seed: config.seed, step: 0 });
  const policy = new Policy(config.seed, config.policy);
  try {
    policy.setWeights(reference);
    const before = responsesOf(policy, problems);
    policy.setWeights(weights);
    const after = responsesOf(policy, problems);
    const blind = responsesOf(policy, problems, masked);
    return problems.map((problem, at): Sample => {
      const answer = (name: string, responses: readonly (readonly number[])[]) => {
        const response = responses[at] ?? [];
        return {
          name,
          text: spoken(problem, response),
          right: judge(problem, response).accuracy === 1,
        };
      };
      return {
        image: problem.image,
        masked: masked[at] ?? problem.image,
        question: say(problem.question),
        truth: spoken(problem, problem.response),
        answers: [answer("before", before), answer("after", after), answer("masked", blind)],
      };
    });
  } finally {
    policy.dispose();
  }
}

/** "2 3 → 5": thought and answer without their tags; all of it where it is not well-formed. */
function spoken(problem: Problem, response: readonly number[]): string {
  if (judge(problem, response).format === 0) return say(response);
  return `${say(response.slice(1, -3))} → ${say(response.slice(-2, -1))}`;
}

function responsesOf(
  policy: Policy,
  problems: readonly Problem[],
  images?: readonly Float32Array[],
): readonly (readonly number[])[] {
  return generate(policy, promptsOf(problems, images), 1, undefined).responses;
}
