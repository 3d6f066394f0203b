/** Every advantage estimator, by name. */
import type { AdvantageDefinition } from "./definition.js";
import { DR_GRPO, type DrGrpoParameters } from "./dr-grpo.js";
import { GAE, type GaeParameters } from "./gae.js";
import { GDPO, type GdpoParameters } from "./gdpo.js";
import { GPG, type GpgParameters } from "./gpg.js";
import { GRPO, type GrpoParameters } from "./grpo.js";
import { GRPO_BATCH, type GrpoBatchParameters } from "./grpo-batch.js";
import { OPO, type OpoParameters } from "./opo.js";
import { PASS_AT_K, type PassAtKParameters } from "./pass-at-k.js";
import { PKPO, type PkpoParameters } from "./pkpo.js";
import {
  REINFORCE,
  REINFORCE_BASELINE,
  type ReinforceBaselineParameters,
  type ReinforceParameters,
} from "./reinforce.js";
import { REMAX } from "./remax.js";
import { RLOO, type RlooParameters } from "./rloo.js";

/** What a caller may set of each estimator. */
export interface AdvantageParameters {
  /** GRPO. */
  readonly grpo: GrpoParameters;
  /** Dr. GRPO. */
  readonly "dr-grpo": DrGrpoParameters;
  /** GRPO with the deviation of the batch. */
  readonly "grpo-batch": GrpoBatchParameters;
  /** RLOO. */
  readonly rloo: RlooParameters;
  /** REINFORCE++. */
  readonly "reinforce++": ReinforceParameters;
  /** REINFORCE++ with the baseline of the group. */
  readonly "reinforce++-baseline": ReinforceBaselineParameters;
  /** ReMax, which has none. */
  readonly remax: Record<never, never>;
  /** OPO. */
  readonly opo: OpoParameters;
  /** GPG. */
  readonly gpg: GpgParameters;
  /** Pass@k training. */
  readonly "pass@k": PassAtKParameters;
  /** PKPO. */
  readonly pkpo: PkpoParameters;
  /** GDPO. */
  readonly gdpo: GdpoParameters;
  /** Generalised advantage estimation. */
  readonly gae: GaeParameters;
}

/** The name of an estimator. */
export type AdvantageKind = keyof AdvantageParameters;

/** The definitions; the documentation's table is made from them. */
export const ADVANTAGES: {
  readonly [K in AdvantageKind]: AdvantageDefinition<AdvantageParameters[K]>;
} = frozen({
  grpo: GRPO,
  "dr-grpo": DR_GRPO,
  "grpo-batch": GRPO_BATCH,
  rloo: RLOO,
  "reinforce++": REINFORCE,
  "reinforce++-baseline": REINFORCE_BASELINE,
  remax: REMAX,
  opo: OPO,
  gpg: GPG,
  "pass@k": PASS_AT_K,
  pkpo: PKPO,
  gdpo: GDPO,
  gae: GAE,
});

/** Their names, in the order of the table. */
export const ADVANTAGE_KINDS: readonly AdvantageKind[] = Object.freeze(
  Object.keys(ADVANTAGES) as AdvantageKind[],
);

/** The value, and all that it holds, frozen: defaults are not for callers to change. */
function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === "object") frozen(inner as object);
  return Object.freeze(value);
}
