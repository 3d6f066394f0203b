/** The trainer: a config in, a result out. */
export { configWith, DEFAULT_CONFIG, type RunConfig } from "./config.js";
export type { Accuracy, Evaluation } from "./evaluation.js";
export type { LevelChange } from "./run-state.js";
export type { StepColumns, StepKey, StepRecord } from "./steps.js";
export { type RunResult, type TrainHooks, train } from "./trainer.js";
