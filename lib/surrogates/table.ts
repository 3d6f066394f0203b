/** Every surrogate, in one table. A new one is a file, and its name here. */
import { cispo } from "./cispo.js";
import { cispoTwoSided } from "./cispo-two-sided.js";
import { clipCov } from "./clip-cov.js";
import { dppo } from "./dppo.js";
import { gmpo } from "./gmpo.js";
import { gspo } from "./gspo.js";
import { gspoToken } from "./gspo-token.js";
import { icepop } from "./icepop.js";
import { klCov } from "./kl-cov.js";
import { kpop } from "./kpop.js";
import { ppoClip } from "./ppo-clip.js";
import { reinforce } from "./reinforce.js";
import { sapo } from "./sapo.js";
import type { SurrogateDefinition } from "./surrogate.js";
import { vespo } from "./vespo.js";

type Entry =
  | typeof ppoClip
  | typeof cispo
  | typeof cispoTwoSided
  | typeof sapo
  | typeof gspo
  | typeof gspoToken
  | typeof gmpo
  | typeof vespo
  | typeof reinforce
  | typeof clipCov
  | typeof klCov
  | typeof dppo
  | typeof icepop
  | typeof kpop;

/** The name of a surrogate in a spec. */
export type SurrogateKind = Entry["kind"];

type SpecOf<D> =
  D extends SurrogateDefinition<infer P, infer K>
    ? {
        /** Its name. */
        readonly kind: K;
      } & { readonly [N in keyof P]: P[N] }
    : never;

/** A surrogate in a spec, with every parameter of its kind. */
export type SurrogateSpec = SpecOf<Entry>;

export const SURROGATES: readonly SurrogateDefinition<object, SurrogateKind>[] = [
  ppoClip,
  cispo,
  cispoTwoSided,
  sapo,
  gspo,
  gspoToken,
  gmpo,
  vespo,
  reinforce,
  clipCov,
  klCov,
  dppo,
  icepop,
  kpop,
];

/** The surrogate of that kind or alias. */
export function findSurrogate(
  name: string,
): SurrogateDefinition<object, SurrogateKind> | undefined {
  return SURROGATES.find(({ kind, aliases }) => kind === name || aliases?.includes(name));
}
