/** The example's world: fair questions, a held-out part, a reward that can be trusted. */
import test from "ava";
import { maskImage } from "../../examples/masking.js";
import { RandomStream } from "../../examples/random.js";
import { groupAdvantages } from "../../examples/rollouts.js";
import {
  ANSWER_LENGTH,
  drawProblem,
  END,
  IMAGE_SIZE,
  isRight,
  KINDS,
  QUESTION_LENGTH,
  reward,
  say,
} from "../../examples/world.js";

const draw = (count: number, seed: number, heldOut = false) => {
  const random = new RandomStream(seed);
  return Array.from({ length: count }, () => drawProblem(random, heldOut));
};
const sceneOf = ({ scene }: ReturnType<typeof drawProblem>) =>
  scene.map(({ shape, colour }) => `${colour} ${shape}`).join();

test("the same stream draws the same problems, another one others", (t) => {
  t.deepEqual(draw(20, 1), draw(20, 1));
  t.notDeepEqual(draw(20, 1), draw(20, 2));
});

test("no held-out scene is ever drawn for training", (t) => {
  const trained = new Set(draw(2000, 1).map(sceneOf));
  t.false(draw(500, 2, true).some((problem) => trained.has(sceneOf(problem))));
});

test("every question has the length and an answer of the right kind that is right", (t) => {
  const problems = draw(400, 3);
  t.deepEqual([...new Set(problems.map(({ kind }) => kind))].sort(), [...KINDS].sort());
  for (const problem of problems) {
    t.is(problem.question.length, QUESTION_LENGTH);
    t.true(problem.answer.length <= ANSWER_LENGTH && problem.answer.at(-1) === END);
    t.true(isRight(problem, problem.answer));
    t.true(problem.plausible.some((answer) => say(answer) === say(problem.answer)));
  }
});

test("the reward is 1 for the right answer, 0.1 for a wrong one of the right kind, 0 for nonsense", (t) => {
  const problem = draw(100, 4).find(({ kind }) => kind === "what-colour")!;
  const wrong = problem.plausible.find((answer) => !isRight(problem, answer))!;
  t.is(reward(problem, problem.answer), 1);
  t.is(reward(problem, wrong), 0.1);
  t.is(reward(problem, [problem.question[0]!, END]), 0);
  t.is(reward(problem, problem.answer.slice(0, -1)), 0, "an answer that never ends");
});

test("half an answer earns half the accuracy", (t) => {
  const problem = draw(100, 5).find(({ kind }) => kind === "where-is")!;
  const half = problem.plausible.find(
    ([row, column]) => row === problem.answer[0] && column !== problem.answer[1],
  )!;
  t.is(reward(problem, half), 0.45 + 0.1);
});

test("a mask blackens whole patches and depends on its key alone", (t) => {
  const [{ image }] = draw(1, 6) as [ReturnType<typeof drawProblem>];
  const masked = maskImage(image, 6, 0.6, [7, 8]);
  t.deepEqual(masked, maskImage(image, 6, 0.6, [7, 8]));
  t.notDeepEqual(masked, maskImage(image, 6, 0.6, [7, 9]));
  t.deepEqual(maskImage(image, 6, 0, [7]), image);
  t.true(
    maskImage(image, 7, 1, [7]).every((value) => value === 0),
    "partial patches at the border too",
  );
  for (let y = 0; y < IMAGE_SIZE; y++) {
    for (let x = 0; x < IMAGE_SIZE; x++) {
      const at = (y * IMAGE_SIZE + x) * 3;
      const corner = ((y - (y % 6)) * IMAGE_SIZE + x - (x % 6)) * 3;
      t.is(masked[at] === 0, masked[corner] === 0);
    }
  }
});

test("about the asked share of the patches is black", (t) => {
  const white = new Float32Array(IMAGE_SIZE * IMAGE_SIZE * 3).fill(1);
  const shares = Array.from({ length: 200 }, (_, i) => {
    const masked = maskImage(white, 6, 0.6, [i]);
    return masked.filter((value) => value === 0).length / masked.length;
  });
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  t.true(Math.abs(mean - 0.6) < 0.03, `${mean}`);
});

test("advantages are relative to the group, and 0 where the group agrees", (t) => {
  const advantages = groupAdvantages([1, 0, 0, 1, 0.1, 0.1, 0.1, 0.1], 4);
  const deviation = Math.sqrt(1 / 3);
  t.true(Math.abs(advantages[0]! - 0.5 / deviation) < 1e-5);
  t.true(Math.abs(advantages[1]! + 0.5 / deviation) < 1e-5);
  t.true(advantages.subarray(4).every((value) => Math.abs(value) < 1e-9));
});
