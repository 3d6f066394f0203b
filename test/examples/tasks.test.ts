/** The world of the experiment: pictures that can be read, fair questions, a held-out part, a reward to trust. */
import { createHash } from "node:crypto";
import test from "ava";
import { RandomStream } from "../../examples/random.js";
import {
  type DrawOptions,
  drawProblem,
  END,
  END_THINK,
  FORMS,
  IMAGE_SIZE,
  judge,
  PAD,
  PATCH_SIZE,
  type Problem,
  QUESTION_LENGTH,
  RESPONSE_LENGTH,
  START,
  say,
  TASKS,
  THINK,
  VOCABULARY,
} from "../../examples/world/index.js";
import { readFacts } from "./reading.js";

const draw = (count: number, seed: number, options: DrawOptions = { heldOut: false }) => {
  const random = new RandomStream(seed);
  return Array.from({ length: count }, () => drawProblem(random, options));
};
const picture = ({ image }: Problem) => createHash("sha1").update(image).digest("base64");
const one = (options: Omit<DrawOptions, "heldOut">) =>
  drawProblem(new RandomStream(3), { heldOut: false, ...options });

/** How often each value occurs, as shares of all. */
function shares<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1 / values.length);
  return counts;
}

/** The answer by rule from facts in words: what the thought has to lead to. */
function solve(verb: string | undefined, facts: readonly string[]): string {
  const numbers = facts.map(Number);
  const [left = 0, right = 0] = numbers;
  const rows = ["top", "middle", "bottom"];
  let [row = ""] = facts;
  switch (verb) {
    case "add":
    case "count":
      return String(numbers.reduce((sum, value) => sum + value));
    case "compare":
      return left === right ? "equal" : left > right ? "left" : "right";
    default:
      for (const crossing of facts.slice(1)) {
        const pair = { upper: rows.slice(0, 2), lower: rows.slice(1) }[crossing] ?? [];
        row = pair.find((other) => other !== row && pair.includes(row)) ?? row;
      }
      return row;
  }
}

test("the same stream draws the same problems, another one others", (t) => {
  t.deepEqual(draw(40, 1), draw(40, 1));
  t.notDeepEqual(draw(40, 1), draw(40, 2));
});

test("tasks and forms are drawn equally often, noise evenly from 0 to 1", (t) => {
  const problems = draw(3000, 1);
  for (const task of TASKS) {
    const share = shares(problems.map((problem) => problem.task)).get(task) ?? 0;
    t.true(Math.abs(share - 0.25) < 0.03, `${task} ${share}`);
  }
  for (const form of FORMS) {
    const share = shares(problems.map((problem) => problem.form)).get(form) ?? 0;
    t.true(Math.abs(share - 0.5) < 0.03, `${form} ${share}`);
  }
  for (const tenth of [...Array(10).keys()]) {
    const share = shares(problems.map(({ noise }) => Math.floor(10 * noise))).get(tenth) ?? 0;
    t.true(Math.abs(share - 0.1) < 0.02, `${tenth} ${share}`);
  }
});

test("no picture that is held out is ever drawn for training, by whatever task", (t) => {
  const trained = new Set<string>();
  const heldOut = new Set<string>();
  for (const task of TASKS) {
    const options = { task, noise: 0 };
    for (const problem of draw(3000, 1, { heldOut: false, ...options }))
      trained.add(picture(problem));
    for (const problem of draw(750, 2, { heldOut: true, ...options }))
      heldOut.add(picture(problem));
  }
  t.deepEqual(
    [...heldOut].filter((key) => trained.has(key)),
    [],
  );
  // The check means something: a clean picture is decided by what is drawn, and comes up again and again.
  const again = draw(3000, 3, { heldOut: false, task: "addition", noise: 0 });
  t.true(again.filter((problem) => trained.has(picture(problem))).length > 2900);
});

test("a fifth of all pictures is held out: of two digits, 3 or 4 of the 16 colourings of each pair", (t) => {
  const task = "addition";
  const colourings = (seed: number, heldOut: boolean) => {
    const found = new Map<string, Set<string>>();
    for (const problem of draw(heldOut ? 2000 : 5000, seed, { heldOut, task, noise: 0 })) {
      const facts = say(problem.thought);
      found.set(facts, (found.get(facts) ?? new Set()).add(picture(problem)));
    }
    return found;
  };
  const heldOut = colourings(1, true);
  t.is(heldOut.size, 25, "every pair of digits");
  for (const [facts, pictures] of heldOut) {
    t.true(pictures.size === 3 || pictures.size === 4, `${facts}: ${pictures.size}`);
  }
  for (const [facts, pictures] of colourings(2, false)) {
    const all = pictures.size + (heldOut.get(facts)?.size ?? 0);
    t.true(all <= 16 && all >= 14, `${facts}: ${all}`);
  }
});

for (const task of TASKS) {
  test(`${task}: answers are balanced alike in both parts, and no constant one is right often`, (t) => {
    const [trained, heldOut] = [false, true].map((heldOut) =>
      shares(draw(2000, 5, { heldOut, task, noise: 0 }).map(({ answer }) => answer)),
    );
    for (const [answer, share] of trained ?? []) {
      t.true(share <= 0.4, `${say([answer])} ${share}`);
      t.true(Math.abs(share - (heldOut?.get(answer) ?? 0)) < 0.05, say([answer]));
    }
    t.is(trained?.size, heldOut?.size);
  });

  test(`${task}: a text-aided question says all that is needed`, (t) => {
    for (const { question, answer, thought } of draw(300, 6, {
      heldOut: false,
      task,
      form: "text-aided",
    })) {
      const [verb, ...rest] = say(question).split(" ");
      const facts = verb === "count" || verb === "follow" ? rest.slice(1) : rest;
      t.is(solve(verb, facts), say([answer]));
      t.is(facts.join(" "), say(thought));
    }
  });

  test(`${task}: a vision-dependent question says nothing about its answer`, (t) => {
    const answers = new Map<string, number[]>();
    for (const { question, answer } of draw(3000, 7, {
      heldOut: false,
      task,
      noise: 0,
      form: "vision-dependent",
    })) {
      answers.set(say(question), [...(answers.get(say(question)) ?? []), answer]);
    }
    t.is(answers.size, task === "counting" || task === "line-following" ? 4 : 1);
    for (const [question, given] of answers) {
      t.true(Math.max(...shares(given).values()) < 0.4, question);
      t.true(shares(given).size >= 3, question);
    }
  });

  test(`${task}: what is to be seen can be read off the clean picture, and leads to the answer`, (t) => {
    for (const heldOut of [false, true]) {
      for (const problem of draw(250, 8, { heldOut, task, form: "vision-dependent", noise: 0 })) {
        const [verb, asked] = say(problem.question).split(" ");
        const facts = readFacts(problem.image, task, asked);
        t.is(facts.join(" "), say(problem.thought));
        t.is(solve(verb, facts), say([problem.answer]));
      }
    }
  });

  test(`${task}: the demonstration is right; what is wrong in a response is told apart`, (t) => {
    for (const problem of draw(200, 9, { heldOut: false, task })) {
      const { response, thought, answer, question } = problem;
      t.is(question.length, QUESTION_LENGTH);
      t.true(response.length <= RESPONSE_LENGTH);
      t.deepEqual(response, [THINK, ...thought, END_THINK, answer, END]);
      const right = { format: 1, accuracy: 1, thought: 1, reward: 1, error: "none" };
      t.like(judge(problem, response), right);

      const other = answer === VOCABULARY.indexOf("0") ? VOCABULARY.indexOf("8") : answer - 1;
      const reasoned = [THINK, ...thought, END_THINK, other, END];
      const wrong = { format: 1, accuracy: 0, reward: 0.1 };
      t.like(judge(problem, reasoned), { ...wrong, thought: 1, error: "reasoning" });

      const shorter = thought.slice(1);
      for (const seen of [shorter, [...shorter, other], [other, ...shorter]]) {
        if (say(seen) === say(thought)) continue;
        const blind = [THINK, ...seen, END_THINK, other, END];
        t.like(judge(problem, blind), { ...wrong, thought: 0, error: "perception" });
        const lucky = [THINK, ...seen, END_THINK, answer, END];
        t.like(judge(problem, lucky), { ...right, thought: 0 });
      }
    }
  });

  test(`${task}: noise changes the picture, but leaves it in range and no pixel black`, (t) => {
    const clean = one({ task, noise: 0 });
    const noisy = one({ task, noise: 1 });
    t.is(say(clean.response), say(noisy.response), "noise does not change what is drawn");
    t.is(clean.image.length, IMAGE_SIZE * IMAGE_SIZE * 3);
    t.is(IMAGE_SIZE % PATCH_SIZE, 0);
    t.true(new Set(clean.image).size <= 10, "flat colours");
    t.true(new Set(noisy.image).size > 1000);
    for (const { image } of [clean, ...draw(20, 10, { heldOut: false, task, noise: 1 })]) {
      t.true(image.every((value) => value >= 0 && value <= 1));
      for (let at = 0; at < image.length; at += 3) {
        if (Math.max(...image.subarray(at, at + 3)) < 0.1) t.fail(`a black pixel at ${at / 3}`);
      }
    }
  });
}

test("a response that is not thought, answer, end has no format and earns nothing", (t) => {
  const problem = one({ task: "addition" });
  const { response, thought, answer } = problem;
  const malformed = {
    empty: [],
    "no end": response.slice(0, -1),
    "no beginning": response.slice(1),
    "no thought": [THINK, END_THINK, answer, END],
    "thought not closed": [THINK, ...thought, answer, END],
    "closed twice": [THINK, ...thought, END_THINK, END_THINK, answer, END],
    "opened twice": [THINK, THINK, ...thought, END_THINK, answer, END],
    "two answers": [THINK, ...thought, END_THINK, answer, answer, END],
    "no answer": [THINK, ...thought, END_THINK, END],
    "more after the end": [...response, PAD],
    "ended within": [THINK, ...thought, END_THINK, END, END],
    "a thought of padding": [THINK, PAD, PAD, END_THINK, answer, END],
    "begun again": [THINK, START, END_THINK, answer, END],
    "not a token": [THINK, VOCABULARY.length, END_THINK, answer, END],
    "too long": [THINK, ...Array<number>(5).fill(answer), END_THINK, answer, END],
  };
  for (const [what, given] of Object.entries(malformed)) {
    const nothing = { format: 0, accuracy: 0, thought: 0, reward: 0, error: "format" };
    t.like(judge(problem, given), nothing, what);
  }
});

test("the special tokens are where their names say", (t) => {
  t.is(new Set(VOCABULARY).size, VOCABULARY.length);
  t.is(say([START, THINK, END_THINK, END, PAD]), "<start> <think> </think> <end>");
  t.is(VOCABULARY[PAD], "<pad>");
});
