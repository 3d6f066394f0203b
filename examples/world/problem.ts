/** Problems: a scene from the part of the world that is trained on or held out, in one of two forms. */
import { RandomStream } from "../random.js";
import { drawAddition } from "./addition.js";
import { Canvas } from "./canvas.js";
import { drawComparison } from "./comparison.js";
import { drawCounting } from "./counting.js";
import { drawLineFollowing } from "./line-following.js";
import type { Scene } from "./scene.js";
import { END, END_THINK, PAD, QUESTION_LENGTH, THINK, tokens } from "./vocabulary.js";

export const TASKS = ["addition", "counting", "comparison", "line-following"] as const;
export type Task = (typeof TASKS)[number];

/** Whether the answer needs the image, or the question also states what is to be seen. */
export const FORMS = ["vision-dependent", "text-aided"] as const;
export type Form = (typeof FORMS)[number];

const DRAWN_BY: Readonly<Record<Task, (random: RandomStream) => Scene>> = {
  addition: drawAddition,
  counting: drawCounting,
  comparison: drawComparison,
  "line-following": drawLineFollowing,
};

const HELD_OUT_PERIOD = 5;

/** What the policy is given, what it should say, and what counts as right. */
export interface Problem {
  readonly task: Task;
  readonly form: Form;
  /** 0 (clean) … 1 (noisy). */
  readonly noise: number;
  /** [IMAGE_SIZE · IMAGE_SIZE · 3] row-major RGB in 0…1. */
  readonly image: Float32Array;
  /** [QUESTION_LENGTH] token ids, filled up with PAD at the end. */
  readonly question: readonly number[];
  /** The demonstration: THINK, the thought, END_THINK, the answer, END. */
  readonly response: readonly number[];
  /** Token ids of what has to be seen, without the tags around it. */
  readonly thought: readonly number[];
  /** One token id. */
  readonly answer: number;
}

export interface DrawOptions {
  /** Whether to draw from the fifth of all scenes that is never trained on. */
  readonly heldOut: boolean;
  /** Drawn uniformly where they are not given. */
  readonly task?: Task;
  readonly form?: Form;
  readonly noise?: number;
}

/** Draws a problem; the same state of the stream and the same options give the same problem. */
export function drawProblem(random: RandomStream, options: DrawOptions): Problem {
  const task = options.task ?? random.pick(TASKS);
  const form = options.form ?? random.pick(FORMS);
  const noise = options.noise ?? random.next();
  const scene = drawScene(random, task, options.heldOut);
  const canvas = new Canvas(noise, random);
  scene.paint(canvas);
  const thought = tokens(scene.facts);
  const [answer = PAD] = tokens([scene.answer]);
  return {
    task,
    form,
    noise,
    image: canvas.finished(),
    question: questionOf(scene, form),
    response: [THINK, ...thought, END_THINK, answer, END],
    thought,
    answer,
  };
}

/** A scene of one part of the world; the first draw decides its answer, so that answers are as frequent in both parts. */
function drawScene(random: RandomStream, task: Task, heldOut: boolean): Scene {
  const { answer } = DRAWN_BY[task](random);
  for (;;) {
    const scene = DRAWN_BY[task](random);
    if (scene.answer === answer && isHeldOut(scene) === heldOut) return scene;
  }
}

/**
 * Every fifth variant of each content is held out, in an order and from a place on that the content decides: so every
 * content with five variants or more occurs in both parts, but no picture does. Noise and question play no part.
 */
function isHeldOut({ content, variant, variants }: Scene): boolean {
  const order = new RandomStream(...content);
  const first = order.integer(HELD_OUT_PERIOD);
  const place = order.shuffled([...Array(variants).keys()]).indexOf(variant);
  return (first + place) % HELD_OUT_PERIOD === 0;
}

function questionOf({ question, facts }: Scene, form: Form): number[] {
  const words = form === "text-aided" ? [...question, ...facts] : question;
  const ids = tokens(words);
  return [...ids, ...Array<number>(QUESTION_LENGTH - ids.length).fill(PAD)];
}
