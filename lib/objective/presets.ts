/** The published objectives as data: every number with its source, in the authors' and in the corrected form. */
import { describe, expected } from "../core/errors.js";
import {
  FAMILY_PRESET_IDS,
  FAMILY_PRESETS,
  type FamilyPresetId,
  familyValues,
} from "./family-presets.js";
import { OTHER_PRESETS } from "./other-words.js";
import { nearestOf, ownValues } from "./plain-object.js";
import { type ObjectiveSpec, type ObjectiveSpecInput, type SpecKey, validateSpec } from "./spec.js";
import { DEFAULT_SURROGATE } from "./surrogate-spec.js";

/** Presets of the PAPO paper. `papo-g` extends GRPO and `papo-d` DAPO; 3b and 7b are the sizes they were tuned on. */
export const PAPER_PRESET_IDS = [
  "papo-g-3b",
  "papo-g-7b",
  "papo-g-3b-no-ref",
  "papo-g-7b-no-ref",
  "papo-d-3b",
  "papo-d-7b",
  "grpo",
  "dapo",
] as const;
type PaperPresetId = (typeof PAPER_PRESET_IDS)[number];

/** Names of all presets. */
export const PRESET_IDS = [...PAPER_PRESET_IDS, ...FAMILY_PRESET_IDS] as readonly PresetId[];
/** The name of a preset. */
export type PresetId = PaperPresetId | FamilyPresetId;

/**
 * Which reading of the publication.
 *
 * - `authors`    what their code computes: k3 with both limits, dual clip, masked branch constant, sampled entropies,
 *                token means. Reproduces their numbers, the inert masked entropy included.
 * - `corrected`  what the paper means: exact KL and exact entropies, gradient through both branches, the paper's own
 *                reduction for every term. Same coefficients and clips, which were tuned with the authors' form.
 */
export const PRESET_FORMS = ["authors", "corrected"] as const;
/** What the authors' code computes, or what the paper means. */
export type PresetForm = (typeof PRESET_FORMS)[number];

/** One value of a preset and where it was published. */
export interface PresetValue {
  /** The key of a spec. */
  readonly key: SpecKey;
  /** What the preset has there. */
  readonly value: ObjectiveSpec[SpecKey];
  /** Paper and table, or file and line of the authors' scripts. */
  readonly source: string;
}

// Paths are those of the PAPO authors' repository, tables those of the paper (arXiv 2507.06448 v5).
const CONFIG = "verl/workers/actor/config.py";
const CORE = "verl/trainer/core_algos.py";
const ACTOR = "verl/workers/actor/dp_actor.py";
const GRPO_SCRIPTS = "examples/papo_grpo";
const DAPO_SCRIPTS = "examples/papo_dapo";
const CORRECTED = "corrected form";

/** What every preset shares in the authors' form. */
const AUTHORS: readonly PresetValue[] = [
  of("surrogate", DEFAULT_SURROGATE, `PPO's clip, compute_policy_loss, ${CORE}:448-521`),
  of("clipLow", 0.2, `${CONFIG}:87; paper, Table 6`),
  of("clipDual", 3, `${CONFIG}:91; applied in ${CORE}:448-521`),
  of("policyTokenMask", null, `${CORE}:448-521 takes every token`),
  of("advantageShaping", null, `${CORE}:168-254 has none`),
  of("offPolicyMask", null, `${CORE}:448-521 has none`),
  of("rolloutCorrection", null, `${ACTOR}:271-413 has none: old log-probs are scored anew`),
  of("refKlEstimator", "k3", `low_var_kl, ${CORE}:567-606`),
  of("perceptionKlEstimator", "k3", `low_var_kl, ${ACTOR}:329-333`),
  of("perceptionKlMin", null, `clip off, ${ACTOR}:353-354`),
  of("perceptionKlMax", null, `clip off (0.2), ${ACTOR}:353-354`),
  of("perceptionWeighting", "all", `${ACTOR}:336-338; verl/trainer/ray_trainer.py:559-564`),
  of("correctThreshold", 0.1, "verl/trainer/ray_trainer.py:566-574"),
  of("incorrectWeight", 0.1, "incorrect_weighting, verl/trainer/ray_trainer.py:543-564 in fd7b489"),
  of("perceptionTokenMask", null, `off (top_p 0.2), ${ACTOR}:341-350`),
  of("entropyEstimator", "sampled", `−log-prob of the sampled token, ${ACTOR}:289, 326`),
  of("entropyBounds", null, `${ACTOR}:289, 326 have none`),
  of("entropyAnnealing", "own", `schedule "fixed", so that the discount of ${ACTOR}:365-381 is 1`),
  of("sftCoef", 0, `off (1e-3), ${ACTOR}:386-395`),
  of("maskedBranch", "constant", `RECOMPUTE_AUG_LOG_PROBS = False, ${ACTOR}:46`),
  of("reduction", "token-mean", `loss_avg_mode "token", ${CONFIG}:93; ${CORE}:421-445`),
  of("entropyReduction", "token-mean", `${ACTOR}:289, 326`),
  of("emptySequences", "count", `an empty row counts as 0, ${CORE}:421-445`),
  of("temperature", 1, "rollout temperature, examples/configs/config_grpo_papo.yaml"),
  of("logRatioLimit", 20, `${CORE}:448-521 (ratio), 567-606 (KL)`),
  of("klLimit", 10, `${CORE}:567-606`),
  of("exactKlLimit", null, `${CORE}:567-606 has no exact KL in use`),
  of("denominatorEpsilon", 1e-8, `${CORE}:421-445`),
];

/** What the corrected form puts in the place of the authors' choices, apart from the reduction. */
const CORRECTIONS: readonly PresetValue[] = [
  of(
    "perceptionKlEstimator",
    "exact",
    `${CORRECTED}: the KL of Eq. 2 itself; k3's gradient is that of the reverse KL`,
  ),
  of(
    "exactKlLimit",
    10,
    `${CORRECTED}: a maximised KL needs a bound; the authors' ±10 on k3 (${CORE}:567-606)`,
  ),
  of(
    "entropyEstimator",
    "exact",
    `${CORRECTED}: the entropy of Eq. 2 itself; the sampled one has no gradient in expectation`,
  ),
  of(
    "maskedBranch",
    "differentiable",
    `${CORRECTED}: π_θ^mask shares θ in Eq. 2, and without it the masked entropy is inert (PAPO issue 20)`,
  ),
  of("entropyReduction", "same", `${CORRECTED}: Eq. 2 and 3 have one sum over all terms`),
];

const CORRECTED_G = of("reduction", "seq-mean-token-mean", `${CORRECTED}: paper, Eq. 2`);
const CORRECTED_D = of("reduction", "token-mean", `${CORRECTED}: paper, Eq. 3`);

const CLIP_GRPO = of("clipHigh", 0.3, `${CONFIG}:88; paper, Table 6`);
const CLIP_DAPO = of("clipHigh", 0.28, `${DAPO_SCRIPTS}/qwen2_5_vl_{3b,7b}_dapo_papo.sh:29-54`);

interface PresetEntry {
  readonly summary: string;
  readonly family: "grpo" | "dapo";
  readonly values: readonly PresetValue[];
}

const PRESETS: Readonly<Record<PaperPresetId, PresetEntry>> = {
  "papo-g-3b": {
    summary: "PAPO on GRPO, Qwen2.5-VL-3B: reference KL, no double entropy",
    family: "grpo",
    values: [
      CLIP_GRPO,
      of("perceptionKlCoef", 0.02, `${GRPO_SCRIPTS}/qwen2_5_vl_3b_grpo_papo.sh:28`),
      of("refKlCoef", 0.01, `paper, Table 6; ${CONFIG}:87-90`),
      ...doubleEntropy(0, "off in examples/configs/config_grpo_papo.yaml"),
    ],
  },
  "papo-g-7b": {
    summary: "PAPO on GRPO, Qwen2.5-VL-7B (the high-γ setting): reference KL, double entropy",
    family: "grpo",
    values: [
      CLIP_GRPO,
      of("perceptionKlCoef", 0.02, `${GRPO_SCRIPTS}/qwen2_5_vl_7b_grpo_papo.sh:28`),
      of("refKlCoef", 0.01, `paper, Table 6; ${CONFIG}:87-90`),
      ...doubleEntropy(
        0.05,
        `${GRPO_SCRIPTS}/qwen2_5_vl_7b_grpo_papo.sh:28-35; paper, Table 11 (best of .01, .03, .05)`,
      ),
    ],
  },
  "papo-g-3b-no-ref": noRef("3b"),
  "papo-g-7b-no-ref": noRef("7b"),
  "papo-d-3b": papoD("3b"),
  "papo-d-7b": papoD("7b"),
  grpo: {
    summary: "The GRPO baseline of the paper: reference KL, no perception term",
    family: "grpo",
    values: [
      CLIP_GRPO,
      of("perceptionKlCoef", 0, "examples/configs/config_grpo.yaml has no perception term"),
      of("refKlCoef", 0.01, `paper, Table 6; ${CONFIG}:87-90`),
      ...doubleEntropy(0, "examples/configs/config_grpo.yaml has no entropy terms"),
    ],
  },
  dapo: {
    summary: "The DAPO baseline of the paper: no reference KL, no perception term",
    family: "dapo",
    values: [
      of("clipHigh", 0.28, `${DAPO_SCRIPTS}/*_dapo.sh:39-45`),
      of("perceptionKlCoef", 0, `${DAPO_SCRIPTS}/*_dapo.sh has no perception term`),
      of("refKlCoef", 0, `disable_kl, ${DAPO_SCRIPTS}/*_dapo.sh:39-45`),
      ...doubleEntropy(0, `${DAPO_SCRIPTS}/*_dapo.sh has no entropy terms`),
    ],
  },
};

function noRef(size: "3b" | "7b"): PresetEntry {
  const script = `${GRPO_SCRIPTS}/qwen2_5_vl_${size}_grpo_papo_no_kl_ref.sh:28-34`;
  return {
    summary: `PAPO on GRPO, Qwen2.5-VL-${size.toUpperCase()}, without the reference KL: double entropy`,
    family: "grpo",
    values: [
      CLIP_GRPO,
      of("perceptionKlCoef", 0.01, `${script}; paper, Table 8`),
      of("refKlCoef", 0, `${script}; paper, App. F`),
      ...doubleEntropy(0.03, script),
    ],
  };
}

function papoD(size: "3b" | "7b"): PresetEntry {
  const script = `${DAPO_SCRIPTS}/qwen2_5_vl_${size}_dapo_papo.sh:29-54`;
  return {
    summary: `PAPO on DAPO, Qwen2.5-VL-${size.toUpperCase()}: no reference KL, double entropy`,
    family: "dapo",
    values: [
      CLIP_DAPO,
      of("perceptionKlCoef", 0.01, script),
      of("refKlCoef", 0, `${script}; paper, Eq. 3 has none`),
      ...doubleEntropy(0.03, script),
    ],
  };
}

function of<K extends SpecKey>(key: K, value: ObjectiveSpec[K], source: string): PresetValue {
  return Object.freeze({ key, value, source });
}

function doubleEntropy(coef: number, source: string): readonly PresetValue[] {
  return [of("entropyCoef", coef, source), of("maskedEntropyCoef", coef, source)];
}

function isPaper(id: PresetId): id is PaperPresetId {
  return (PAPER_PRESET_IDS as readonly string[]).includes(id);
}

/** Checks the name of a preset; an unknown one throws ERR_ARGUMENT with the list. */
function readId(where: string, id: unknown): PresetId {
  const known = PRESET_IDS.find((candidate) => candidate === id);
  if (known !== undefined) return known;
  const list = PRESET_IDS.join(", ");
  const nearest = typeof id === "string" ? nearestOf(id, PRESET_IDS, OTHER_PRESETS) : undefined;
  const hint = nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
  throw expected("ERR_ARGUMENT", where, `the name of a preset (${list})`, describe(id) + hint);
}

function formOf(where: string, options: unknown): PresetForm {
  if (options === undefined) return "authors";
  const form = ownValues(where, "the options", options, ["form"]).get("form");
  if (form === undefined) return "authors";
  const known = PRESET_FORMS.find((candidate) => candidate === form);
  if (known !== undefined) return known;
  throw expected("ERR_ARGUMENT", where, 'form to be "authors" or "corrected"', describe(form));
}

/**
 * Every value of a preset with its source, in the order of the keys of an objective.
 *
 * The corrected form replaces the authors' choices as a whole; there is no way to get half of each. Of a preset of another
 * publication it corrects the terms of PAPO only, which are off there.
 *
 * @throws PapoError ERR_ARGUMENT for unknown names and forms
 */
export function presetValues(
  id: PresetId,
  options?: { readonly form?: PresetForm },
): readonly PresetValue[] {
  const known = readId("presetValues", id);
  const form = formOf("presetValues", options);
  const values = new Map<SpecKey, PresetValue>();
  const put = (value: PresetValue) => values.set(value.key, value);
  if (isPaper(known)) {
    const { family, values: own } = PRESETS[known];
    for (const value of [...AUTHORS, ...own]) put(value);
    if (form === "corrected") put(family === "grpo" ? CORRECTED_G : CORRECTED_D);
  } else {
    familyValues(known).forEach(put);
  }
  if (form === "corrected") CORRECTIONS.forEach(put);
  return [...values.values()];
}

/** What a preset is, in one line. */
export function presetSummary(id: PresetId): string {
  const known = readId("presetSummary", id);
  return (isPaper(known) ? PRESETS[known] : FAMILY_PRESETS[known]).summary;
}

/**
 * The objective of a preset.
 *
 * @param options.form  "authors" (default) or "corrected"
 * @throws PapoError ERR_ARGUMENT for unknown names and forms
 * @see `presetValues` for the source of each number
 */
export function preset(id: PresetId, options?: { readonly form?: PresetForm }): ObjectiveSpec {
  const input: Partial<Record<SpecKey, unknown>> = {};
  readId("preset", id);
  formOf("preset", options);
  for (const { key, value } of presetValues(id, options)) input[key] = value;
  return validateSpec(input as ObjectiveSpecInput, "preset");
}
