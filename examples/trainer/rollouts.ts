/** Groups of responses to a batch of problems, judged; with dynamic sampling only groups that teach something. */
import { estimateAdvantages, filterGroups } from "../../lib/index.js";
import { generate, type Policy, type Prompts } from "../policy/index.js";
import { RandomStream } from "../random.js";
import {
  drawProblem,
  type Judgement,
  judge,
  type Problem,
  RESPONSE_LENGTH,
} from "../world/index.js";
import type { RunConfig } from "./config.js";
import { STREAM } from "./streams.js";

/** Times that problems are drawn for one batch; the PAPO authors' limit is 20. */
export const MOST_DRAWS = 4;

/** Problems with `group` responses each, in order. */
export interface Rollouts {
  readonly problems: readonly Problem[];
  readonly group: number;
  /** [problems · group] token ids, the end token included. */
  readonly responses: readonly (readonly number[])[];
  /** [problems · group · RESPONSE_LENGTH] log-probs under the policy that sampled, nats; 0 after the end. */
  readonly oldLogProbs: Float64Array;
  /** [problems · group] */
  readonly judgements: readonly Judgement[];
}

/** What a batch is trained on, and what it was chosen from. */
export interface SampledBatch {
  readonly rollouts: Rollouts;
  /** Those of the first draw, before any group is left out: comparable between runs that choose and runs that do not. */
  readonly first: Rollouts;
  /** Draws that it took. */
  readonly draws: number;
}

/**
 * The rollouts of a batch.
 *
 * With dynamic sampling, problems are drawn until `prompts` groups have a mean accuracy strictly between 0.01 and 0.99. After
 * `MOST_DRAWS` draws the batch is what there is; where that is nothing, all groups of the last draw, as the authors' code does.
 */
export function sampleBatch(policy: Policy, config: RunConfig, batch: number): SampledBatch {
  const { prompts, group, dynamicSampling } = config;
  const draw = (at: number): Rollouts => sample(policy, config, batch, at);
  const first = draw(0);
  if (!dynamicSampling) return { rollouts: first, first, draws: 1 };
  let last = first;
  let kept = mixedGroups(first);
  let draws = 1;
  while (kept.problems.length < prompts && draws < MOST_DRAWS) {
    last = draw(draws++);
    kept = joined(kept, mixedGroups(last));
  }
  const rollouts = kept.problems.length > 0 ? part(kept, 0, prompts) : last;
  return { rollouts: { ...rollouts, group }, first, draws };
}

function sample(policy: Policy, config: RunConfig, batch: number, draw: number): Rollouts {
  const { seed, prompts, group } = config;
  const drawing = new RandomStream(seed, STREAM.problems, batch, draw);
  const problems = Array.from({ length: prompts }, () => drawProblem(drawing, { heldOut: false }));
  const sampling = new RandomStream(seed, STREAM.sampling, batch, draw);
  return respond(policy, problems, group, sampling);
}

/** Samples `group` responses to each problem at temperature 1 and judges them. */
export function respond(
  policy: Policy,
  problems: readonly Problem[],
  group: number,
  random: RandomStream,
  images?: readonly Float32Array[],
): Rollouts {
  const prompts = promptsOf(problems, images);
  const { responses, logProbs } = generate(policy, prompts, group, random);
  const judgements = responses.map((response, at) =>
    judge(problems[Math.floor(at / group)] as Problem, response),
  );
  return { problems, group, responses, oldLogProbs: logProbs, judgements };
}

/** Those groups that are neither all right nor all wrong. */
export function mixedGroups(rollouts: Rollouts): Rollouts {
  const { problems, group, judgements } = rollouts;
  const { keep } = filterGroups({
    scores: judgements.map(({ accuracy }) => accuracy),
    groupSize: group,
  });
  return problems.reduce(
    (kept, _, at) => (keep[at * group] === 1 ? joined(kept, part(rollouts, at, at + 1)) : kept),
    part(rollouts, 0, 0),
  );
}

/** [responses] (reward − mean) / (standard deviation + 1e-6) within each group, as GRPO has it. */
export function advantagesOf({ judgements, group }: Rollouts): Float64Array {
  const rewards = judgements.map(({ reward }) => reward);
  return estimateAdvantages("grpo", { rewards, groupSize: group }).advantages;
}

/** The groups of problems `first` to `last` − 1. */
export function part(rollouts: Rollouts, first: number, last: number): Rollouts {
  const { group } = rollouts;
  const [from, to] = [first * group, last * group];
  return {
    problems: rollouts.problems.slice(first, last),
    group,
    responses: rollouts.responses.slice(from, to),
    oldLogProbs: rollouts.oldLogProbs.slice(from * RESPONSE_LENGTH, to * RESPONSE_LENGTH),
    judgements: rollouts.judgements.slice(from, to),
  };
}

function joined(a: Rollouts, b: Rollouts): Rollouts {
  return {
    problems: [...a.problems, ...b.problems],
    group: a.group,
    responses: [...a.responses, ...b.responses],
    oldLogProbs: Float64Array.of(...a.oldLogProbs, ...b.oldLogProbs),
    judgements: [...a.judgements, ...b.judgements],
  };
}

/** What the policy is asked, with other images where they are given. */
export function promptsOf(problems: readonly Problem[], images?: readonly Float32Array[]): Prompts {
  return {
    images: images ?? problems.map(({ image }) => image),
    questions: problems.map(({ question }) => question),
  };
}

/** Responses as padded rows. */
export interface TokenRows {
  /** [responses · RESPONSE_LENGTH]; 0 after the end. */
  readonly tokenIds: Int32Array;
  /** [responses · RESPONSE_LENGTH]: 1 up to and including the end token. */
  readonly responseMask: Int32Array;
}

export function tokenRows(responses: readonly (readonly number[])[]): TokenRows {
  const tokenIds = new Int32Array(responses.length * RESPONSE_LENGTH);
  const responseMask = new Int32Array(responses.length * RESPONSE_LENGTH);
  responses.forEach((response, at) => {
    tokenIds.set(response, at * RESPONSE_LENGTH);
    responseMask.fill(1, at * RESPONSE_LENGTH, at * RESPONSE_LENGTH + response.length);
  });
  return { tokenIds, responseMask };
}
