/** The world of the experiment: what is drawn, asked and rewarded. */
export { IMAGE_SIZE, PATCH_SIZE } from "./canvas.js";
export { type Judgement, judge } from "./judge.js";
export {
  type DrawOptions,
  drawProblem,
  FORMS,
  type Form,
  type Problem,
  TASKS,
  type Task,
} from "./problem.js";
export {
  END,
  END_THINK,
  PAD,
  QUESTION_LENGTH,
  RESPONSE_LENGTH,
  START,
  say,
  THINK,
  VOCABULARY,
} from "./vocabulary.js";
