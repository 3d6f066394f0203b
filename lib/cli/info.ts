/** `papo info`: what is loaded and what it can do. */
import type { Command } from "commander";
import type { LoadAttempt } from "../addon/attempt.js";
import { AddonError, failuresIn } from "../addon/load.js";
import {
  ADVANTAGES,
  describeSurrogates,
  ENTROPY_ESTIMATORS,
  ENTROPY_FORMULAS,
  type Formula,
  type Info,
  info,
  KL_FORMULAS,
  PART_FORMULAS,
  PERCEPTION_KL_ESTIMATORS,
  PRESET_IDS,
  presetSummary,
  REDUCTION_FORMULAS,
  REDUCTIONS,
  REF_KL_ESTIMATORS,
  type SurrogateDescription,
} from "../index.js";
import { REJECTION_ESTIMATORS, REJECTION_LEVELS } from "../rollout/rejection.js";
import { ROLLOUT_WEIGHT_LEVELS, ROLLOUT_WEIGHT_MODES } from "../rollout/rollout-weights.js";
import { ROLLOUT_WEIGHT_DEFAULTS } from "../rollout/rules.js";
import { writeBroken } from "./info-broken.js";
import { type Surroundings, showSurroundings, surroundings } from "./surroundings.js";
import { type Cell, showNumber, type Terminal, writeJson, writeTable } from "./terminal.js";

/** A device that is there, with its facts if it is a GPU, or why there is none. */
type DeviceEntry =
  | ({ readonly device: string; readonly available: true } & Partial<GpuFacts>)
  | { readonly device: string; readonly available: false; readonly reason: string };

type GpuFacts = Omit<Info["cuda"]["devices"][number], "device">;

/** The document of `papo info --json`. */
interface InfoDocument extends Surroundings {
  readonly addon: {
    readonly path: string;
    readonly version: string;
    readonly compiler: string;
    readonly napiVersion: number;
  };
  /** What was tried before the addon that is loaded, best first. */
  readonly attempts: readonly LoadAttempt[];
  readonly isa: string;
  /** All that this binary and this processor share, best first. */
  readonly isas: readonly string[];
  readonly threads: number;
  /** Versions as `"13.0"`: what the addon was built with, and the newest that the driver supports; `""` where there is none. */
  readonly cuda: {
    readonly built: boolean;
    readonly runtimeVersion: string;
    readonly driverVersion: string;
  };
  readonly devices: readonly DeviceEntry[];
  readonly ops: readonly string[];
  readonly estimators: Readonly<Record<"refKl" | "perceptionKl" | "entropy", readonly string[]>>;
  readonly reductions: readonly string[];
  /** Options of the correction where another engine sampled. */
  readonly rollout: typeof ROLLOUT;
  /** What docs/objectives.md is made of. */
  readonly surrogates: readonly SurrogateDescription[];
  readonly advantages: readonly object[];
  readonly formulas: Readonly<
    Record<"kl" | "entropy" | "parts" | "reductions", readonly Formula[]>
  >;
  readonly presets: Readonly<Record<string, string>>;
}

/** Adds the sub-command to the program; `exitWith` takes the code where no addon loads. */
export function addInfo(
  program: Command,
  terminal: Terminal,
  exitWith: (code: number) => void,
): void {
  program
    .command("info")
    .summary("versions, devices, surrogates, estimators, presets")
    .description(
      "Prints what is loaded (the addon, the devices and why one is not there), and every objective that it can compute; with --json also formulas, gradients, parameters and sources. Where no addon loads: which files were tried, what is wrong with each, and what to do.",
    )
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
PAPO_ADDON_PATH, PAPO_NUM_THREADS and PAPO_CPU_ISA choose the addon, its threads
and its instruction set.

Examples:
  $ papo info
  $ PAPO_CPU_ISA=scalar papo info --json`,
    )
    .action((flags: { readonly json?: boolean }) => {
      let document: InfoDocument;
      try {
        document = documentOf();
      } catch (error) {
        if (!(error instanceof AddonError)) throw error;
        exitWith(writeBroken(terminal, error, flags.json === true));
        return;
      }
      if (flags.json) writeJson(terminal, document);
      else writeInfo(terminal, document);
    });
}

const ROLLOUT = {
  levels: ROLLOUT_WEIGHT_LEVELS,
  modes: ROLLOUT_WEIGHT_MODES,
  defaults: ROLLOUT_WEIGHT_DEFAULTS,
  reject: { by: REJECTION_ESTIMATORS, levels: REJECTION_LEVELS },
} as const;

function documentOf(): InfoDocument {
  const loaded = info();
  const { compiler, napiVersion, isa, isas, threads } = loaded;
  const { devices, unavailable, ...cuda } = loaded.cuda;
  return {
    ...surroundings(),
    addon: { path: loaded.path, version: loaded.version, compiler, napiVersion },
    attempts: loaded.attempts,
    isa,
    isas,
    threads,
    cuda,
    devices: [
      { device: "cpu", available: true },
      ...devices.map((gpu): DeviceEntry => ({ ...gpu, available: true })),
      ...(unavailable ? [{ device: "cuda", available: false, reason: unavailable } as const] : []),
    ],
    ops: loaded.ops.map(({ name }) => name),
    estimators: {
      refKl: REF_KL_ESTIMATORS,
      perceptionKl: PERCEPTION_KL_ESTIMATORS,
      entropy: ENTROPY_ESTIMATORS,
    },
    reductions: REDUCTIONS,
    rollout: ROLLOUT,
    surrogates: describeSurrogates(),
    advantages: Object.values(ADVANTAGES),
    formulas: {
      kl: Object.values(KL_FORMULAS),
      entropy: Object.values(ENTROPY_FORMULAS),
      parts: Object.values(PART_FORMULAS),
      reductions: Object.values(REDUCTION_FORMULAS),
    },
    presets: Object.fromEntries(PRESET_IDS.map((id) => [id, presetSummary(id)])),
  };
}

function writeInfo(terminal: Terminal, document: InfoDocument): void {
  const { addon, isa, isas, estimators } = document;
  const devices = document.devices.map((entry): Cell[] => {
    if (entry.available) return [deviceLine(entry)];
    return [{ text: `${entry.device}: not available, ${entry.reason}`, style: "yellow" }];
  });
  const label = (text: string): Cell => ({ text, style: "bold" });
  const section = (name: string, lines: readonly (readonly Cell[])[]) =>
    lines.map((line, i) => [i === 0 ? label(name) : "", ...line]);
  writeTable(terminal, "ll", [
    ...showSurroundings(document),
    [label("addon"), addon.path],
    ["", `${addon.version}, ${addon.compiler}, Node-API ${addon.napiVersion}`],
    ...failuresIn(document.attempts).map(({ path, reason }): Cell[] => [
      "",
      { text: `passed over: ${path}: ${reason}`, style: "yellow" },
    ]),
    [label("instruction set"), `${isa} (of ${isas.join(", ")})`],
    [label("threads"), String(document.threads)],
    [label("CUDA"), cudaLine(document.cuda)],
    ...section("devices", devices),
    [label("ops"), document.ops.join(", ")],
    ...section("estimators", [
      [`refKl: ${estimators.refKl.join(", ")}`],
      [`perceptionKl: ${estimators.perceptionKl.join(", ")}`],
      [`entropy: ${estimators.entropy.join(", ")}`],
    ]),
    [label("reductions"), document.reductions.join(", ")],
    ...section("rollout", [
      [`weights: ${ROLLOUT.modes.join(", ")}; per ${ROLLOUT.levels.join(", ")}`],
      [`rejection: by ${ROLLOUT.reject.by.join(", ")}; per ${ROLLOUT.reject.levels.join(", ")}`],
    ]),
  ]);
  const list = (name: string, lines: readonly (readonly [string, string])[]) => {
    terminal.stdout.write("\n");
    writeTable(terminal, "ll", [[label(name), ""], ...lines]);
  };
  const { surrogates, formulas, presets } = document;
  list(
    "surrogate",
    surrogates.map(({ kind, aliases, summary }) => [[kind, ...aliases].join(", "), summary]),
  );
  for (const [title, entries] of [
    ["KL estimator", formulas.kl],
    ["entropy", formulas.entropy],
    ["reduction", formulas.reductions],
    ["part", formulas.parts],
  ] as const) {
    list(
      title,
      entries.map(({ name, summary }) => [name, summary]),
    );
  }
  list(
    "advantage",
    Object.values(ADVANTAGES).map(({ kind, summary }) => [kind, summary]),
  );
  list("preset", Object.entries(presets));
}

function cudaLine({ built, runtimeVersion, driverVersion }: InfoDocument["cuda"]): string {
  if (!built) return "not built in";
  const driver =
    driverVersion === "" ? "no driver" : `a driver that supports up to ${driverVersion}`;
  return `runtime ${runtimeVersion}, ${driver}`;
}

function deviceLine({ device, ...facts }: { readonly device: string } & Partial<GpuFacts>): string {
  const { name, computeCapability, multiprocessors, memoryBytes = 0, l2Bytes = 0 } = facts;
  if (name === undefined) return device;
  const memory = `${showNumber(memoryBytes / 2 ** 30, 4)} GiB`;
  const l2 = `L2 ${showNumber(l2Bytes / 2 ** 20, 4)} MiB`;
  return `${device}: ${name}, compute capability ${computeCapability}, ${multiprocessors} multiprocessors, ${memory}, ${l2}`;
}
