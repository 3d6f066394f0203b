/** The yaml files of the PAPO authors' repository, as far as they differ from their classes' defaults. */
import { describe, expected } from "../../core/errors.js";
import { nearestOf } from "../../objective/plain-object.js";
import type { Reader } from "../../objective/spec-values.js";

/** What the yaml files of examples/configs set, which a script's command line then changes. */
export const CONFIG_FILES = {
  "config_grpo.yaml": { use_kl_loss: true, kl_penalty: "low_var_kl", kl_coef: 0.01 },
  "config_grpo_papo.yaml": {
    use_kl_loss: true,
    kl_penalty: "low_var_kl",
    kl_coef: 0.01,
    use_kl_prcp: true,
    kl_prcp_penalty: "low_var_kl",
    kl_prcp_coef: 0.01,
  },
  "config_dapo.yaml": {
    adv_estimator: "dapo",
    disable_kl: true,
    kl_penalty: "low_var_kl",
    kl_coef: 0.01,
    online_filtering: true,
  },
  "config_dapo_papo.yaml": {
    adv_estimator: "dapo",
    disable_kl: true,
    kl_penalty: "low_var_kl",
    kl_coef: 0.01,
    online_filtering: true,
    use_kl_prcp: true,
    kl_prcp_penalty: "low_var_kl",
    kl_prcp_coef: 0.01,
  },
} as const;

export type ConfigFile = keyof typeof CONFIG_FILES;

const FILE_NAMES = Object.keys(CONFIG_FILES) as ConfigFile[];

/** The name of one of those files, with or without a path before it. */
export const readConfigFile: Reader<ConfigFile> = (where, name, value) => {
  const file = typeof value === "string" ? value.slice(value.lastIndexOf("/") + 1) : "";
  const known = FILE_NAMES.find((candidate) => candidate === file);
  if (known !== undefined) return known;
  const nearest = nearestOf(file, FILE_NAMES);
  const hint = nearest === undefined ? "" : ` (did you mean ${nearest}?)`;
  const what = `${name} to be one of the authors' files (${FILE_NAMES.join(", ")}); give the contents of any other`;
  throw expected("ERR_ARGUMENT", where, what, describe(value) + hint);
};
