/** How well a policy does on problems it was never trained on, with the image and without. */
import * as tf from "@tensorflow/tfjs-core";
import { type PairStatistics, tensor, tokenStats } from "../../lib/index.js";
import type { Policy } from "../policy/index.js";
import { RandomStream } from "../random.js";
import { drawProblem, FORMS, type Form, type Problem, TASKS, type Task } from "../world/index.js";
import type { RunConfig } from "./config.js";
import { maskedImages } from "./masking.js";
import { promptsOf, type Rollouts, respond, tokenRows } from "./rollouts.js";
import { STREAM } from "./streams.js";

/** Shares of right answers, over all samples of all problems: avg@k. */
export interface Accuracy {
  readonly accuracy: number;
  readonly byForm: Readonly<Record<Form, number>>;
  readonly byTask: Readonly<Record<Task, number>>;
  /** Problems whose noise is below one half, and the others. */
  readonly byNoise: Readonly<Record<"clean" | "noisy", number>>;
}

/** Of sampled responses, at temperature 1. Shares of 1; 0 where there was nothing to count. */
export interface Evaluation extends Accuracy {
  readonly reward: number;
  readonly format: number;
  /** Share of thoughts that say what the image shows. */
  readonly thought: number;
  /** Tokens. */
  readonly responseLength: number;
  /** The same problems with a black image, `MASKED_SAMPLES` responses to each. */
  readonly masked: Accuracy;
  /** Shares of the wrong answers; 0 where there is none. */
  readonly errors: Readonly<Record<"perception" | "reasoning" | "format", number>>;
  /** Means over the tokens of one response to each problem, nats: exact KL(policy ‖ masked policy) and entropies. */
  readonly kl: number;
  readonly klByForm: Readonly<Record<Form, number>>;
  readonly entropy: number;
  readonly maskedEntropy: number;
}

/** The mask of the KL is the same for every run, whatever it was trained with. */
const KL_MASK = { strategy: "random", ratio: 0.6 } as const;
const BLACK = { strategy: "random", ratio: 1 } as const;
/** Images do not tell problems apart here, so that fewer responses say as much. */
export const MASKED_SAMPLES = 2;

/** The held-out problems: the same for every run, as many of each task in each form. */
export function heldOutProblems(count: number): Problem[] {
  return Array.from({ length: count }, (_, at) => {
    const task = TASKS[at % TASKS.length] as Task;
    const form = FORMS[Math.floor(at / TASKS.length) % FORMS.length] as Form;
    return drawProblem(new RandomStream(STREAM.heldOut, at), { heldOut: true, task, form });
  });
}

/** @param batch  decides what is sampled, together with the seed */
export function evaluate(
  policy: Policy,
  problems: readonly Problem[],
  { seed, evaluation }: RunConfig,
  batch: number,
): Evaluation {
  const random = new RandomStream(seed, STREAM.evaluation, batch);
  const seen = respond(policy, problems, evaluation.samples, random);
  const black = maskedImages(problems, BLACK, { seed: 0, step: 0 });
  const blind = respond(policy, problems, MASKED_SAMPLES, random, black);
  const { judgements } = seen;
  const wrong = judgements.filter(({ accuracy }) => accuracy === 0);
  const share = (of: (judgement: (typeof judgements)[number]) => boolean | number): number =>
    mean(judgements.map((judgement) => Number(of(judgement))));
  const shareOfWrong = (kind: string): number =>
    wrong.filter(({ error }) => error === kind).length / Math.max(wrong.length, 1);
  return {
    ...accuracyOf(seen),
    reward: share(({ reward }) => reward),
    format: share(({ format }) => format),
    thought: share(({ thought }) => thought),
    responseLength: mean(seen.responses.map(({ length }) => length)),
    masked: accuracyOf(blind),
    errors: {
      perception: shareOfWrong("perception"),
      reasoning: shareOfWrong("reasoning"),
      format: shareOfWrong("format"),
    },
    ...distance(policy, seen),
  };
}

function accuracyOf({ problems, group, judgements }: Rollouts): Accuracy {
  const among = (counts: (problem: Problem) => boolean): number =>
    mean(
      judgements.flatMap(({ accuracy }, at) => {
        const problem = problems[Math.floor(at / group)];
        return problem && counts(problem) ? [accuracy] : [];
      }),
    );
  const by = <K extends string>(keys: readonly K[], of: (problem: Problem) => string) =>
    Object.fromEntries(keys.map((key) => [key, among((problem) => of(problem) === key)])) as Record<
      K,
      number
    >;
  return {
    accuracy: among(() => true),
    byForm: by(FORMS, ({ form }) => form),
    byTask: by(TASKS, ({ task }) => task),
    byNoise: by(["clean", "noisy"], ({ noise }) => (noise < 0.5 ? "clean" : "noisy")),
  };
}

/** How far the policy is from the one that sees masked images, on the first response to each problem. */
function distance(
  policy: Policy,
  { problems, group, responses: all }: Rollouts,
): Pick<Evaluation, "kl" | "klByForm" | "entropy" | "maskedEntropy"> {
  const responses = problems.map((_, at) => all[at * group] as readonly number[]);
  const images = maskedImages(problems, KL_MASK, { seed: 0, step: 0 });
  const rows = tokenRows(responses);
  const statistics = tokenStats({
    logits: logitsOf(policy, promptsOf(problems), responses),
    maskedLogits: logitsOf(policy, promptsOf(problems, images), responses),
    ...rows,
  });
  const perResponse = rows.tokenIds.length / responses.length;
  const among = (name: keyof PairStatistics, form?: Form): number => {
    const values = (statistics[name] as PairStatistics["kl"]).data;
    return mean(
      [...values].filter((_, row) => {
        const problem = problems[Math.floor(row / perResponse)];
        return rows.responseMask[row] === 1 && (form === undefined || problem?.form === form);
      }),
    );
  };
  return {
    kl: among("kl"),
    klByForm: Object.fromEntries(FORMS.map((form) => [form, among("kl", form)])) as Record<
      Form,
      number
    >,
    entropy: among("entropy"),
    maskedEntropy: among("maskedEntropy"),
  };
}

function logitsOf(
  policy: Policy,
  prompts: ReturnType<typeof promptsOf>,
  responses: readonly (readonly number[])[],
) {
  const logits = tf.tidy(() => policy.logits(prompts, responses));
  const data = logits.dataSync<"float32">() as Float32Array<ArrayBuffer>;
  logits.dispose();
  return tensor(data, { shape: logits.shape });
}

/** 0 for the mean of nothing. */
function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}
