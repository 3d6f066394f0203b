/** Options that `papo loss` and `papo check` share: which objective, on which device, in blocks of how many rows. */
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type Device,
  Objective,
  type ObjectiveSpec,
  type ObjectiveSpecInput,
  PRESET_FORMS,
  PRESET_IDS,
  type PresetId,
  parseSpec,
  preset,
  SPEC_KEYS,
  validateSpec,
  zeros,
} from "../index.js";
import type { BatchFile } from "../io/batch-file.js";
import { fromCommandLine, UsageError } from "./exit.js";
import { wrapped } from "./terminal.js";

/** Values of these options, as the command line gives them. */
export interface EvaluationFlags {
  readonly preset?: string;
  readonly form?: (typeof PRESET_FORMS)[number];
  readonly set: readonly string[];
  readonly step?: number;
  readonly seed?: number;
  readonly device: string;
  readonly blockRows: number | "automatic";
}

/** Adds the options to a command. */
export function addEvaluationOptions(command: Command): Command {
  const collect = (text: string, before: readonly string[]) => [...before, text];
  return command
    .option("--preset <name>", `objective by name: ${PRESET_IDS.join(", ")}`)
    .addOption(new Option("--form <form>", "reading of the preset").choices(PRESET_FORMS))
    .addOption(
      new Option("--set <key=value>", "one key of the objective; may be given again")
        .argParser(collect)
        .default([], "none"),
    )
    .option("--step <n>", "updates already made, for coefficients that are schedules", count(0))
    .option("--seed <n>", "of what the objective draws at random", count(0))
    .option("--device <device>", '"cpu", "cuda" or "cuda:INDEX"', "cpu")
    .option("--block-rows <n>", "rows of logits in memory at a time", blockRows, "automatic");
}

/** Keys of an objective, for the end of a help text. */
export const KEYS_HELP: string = wrapped(`Keys of --set: ${SPEC_KEYS.join(", ")}.`);

/** Reads an integer of at least `least`. */
function count(least: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It is no integer from ${least} up.`);
  };
}

function blockRows(text: string): number | "automatic" {
  return text === "automatic" ? text : count(1)(text);
}

/** An objective and how it came about. */
export interface ChosenObjective {
  readonly objective: Objective;
  readonly from: "preset" | "file" | "defaults";
  /** The same in words, overrides included. */
  readonly words: string;
  /** What a person should be told about the choice. */
  readonly notes: readonly string[];
}

const DEFAULTS_NOTE =
  "the file has no objective and no preset is given: the defaults are used (PPO's clip 0.2, token mean, no KL, no entropy)";

/**
 * Reads everything about the objective and the device that can be read before a file is opened.
 *
 * @returns the choice for a file: the preset, else the file's own objective, else the defaults; then every `--set`
 * @throws UsageError for unknown presets, keys and values; PapoError ERR_DEVICE_UNAVAILABLE with the reason
 */
export function readEvaluationFlags(flags: EvaluationFlags): (batch: BatchFile) => ChosenObjective {
  if (flags.form !== undefined && flags.preset === undefined) {
    throw new UsageError("--form says how a preset is read, so it needs --preset");
  }
  // Memory on the device is asked for before any work is done: never a silent fall-back.
  fromCommandLine(() => zeros([0], { device: flags.device as Device }).dispose());
  const { form, set } = flags;
  const named = flags.preset as PresetId | undefined;
  const given =
    named && fromCommandLine(() => preset(named, form === undefined ? undefined : { form }));
  const overrides = set.map(readOverride);
  return (batch) => {
    const [from, base] = given ? (["preset", given] as const) : ofFile(batch);
    const words = { preset: `preset ${named}, form ${form ?? "authors"}`, file: "the file's own" };
    const start = from === "defaults" ? "the defaults" : words[from];
    const all = { ...base, ...Object.fromEntries(overrides) } as ObjectiveSpecInput;
    const objective = new Objective(fromCommandLine(() => validateSpec(all)));
    if (flags.step === undefined) checkNoSchedule(objective.spec);
    return {
      objective,
      from,
      words: overrides.length === 0 ? start : `${start}, with ${set.join(", ")}`,
      notes: from === "defaults" ? [DEFAULTS_NOTE] : [],
    };
  };
}

function ofFile({ objective }: BatchFile): readonly ["file" | "defaults", Partial<ObjectiveSpec>] {
  return objective === undefined ? ["defaults", {}] : ["file", parseSpec(objective)];
}

function checkNoSchedule(spec: ObjectiveSpec): void {
  for (const key of [
    "refKlCoef",
    "perceptionKlCoef",
    "entropyCoef",
    "maskedEntropyCoef",
    "sftCoef",
  ] as const) {
    const coefficient = spec[key];
    if (typeof coefficient === "number" || coefficient.kind === "constant") continue;
    throw new UsageError(`${key} is a schedule: say with --step how many updates were made`);
  }
}

/** `key=value`: the value as JSON, else as a number (.02), else as a word. */
function readOverride(text: string): readonly [key: string, value: unknown] {
  const middle = text.indexOf("=");
  if (middle < 1) throw new UsageError(`--set ${text}: expected key=value`);
  const [key, word] = [text.slice(0, middle).trim(), text.slice(middle + 1).trim()];
  const value = readValue(word);
  try {
    // On its own, so that the message is about it; only clipDual depends on another key, and clipHigh 0 allows most.
    fromCommandLine(() => validateSpec({ clipHigh: 0, ...Object.fromEntries([[key, value]]) }));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`--set ${text}: ${error.message}`);
  }
  return [key, value];
}

function readValue(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    const number = word === "" ? Number.NaN : Number(word);
    return Number.isNaN(number) ? word : number;
  }
}
