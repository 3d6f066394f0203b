/** Every door that is fuzzed: a valid call with fresh fields, for each verb of each entry of the package. */
import * as papo from "../../lib/index.js";
import * as masking from "../../lib/masking/index.js";
import * as monitor from "../../lib/monitor/index.js";
import * as reference from "../../lib/reference/index.js";
import * as rewards from "../../lib/rewards/index.js";
import { MASKING_CALLS } from "../support/masking-calls.js";
import { MONITOR_CALLS } from "../support/monitor-calls.js";
import { CALLS, type Fields } from "../support/valid-calls.js";
import { FRAMEWORK_DOORS } from "./framework-doors.js";
import { RAW_DOORS } from "./raw-doors.js";

export interface Door {
  readonly valid: () => Fields;
  readonly call: (fields: Fields) => unknown;
  /** A door of the addon itself: its errors are plain ones with a code. */
  readonly raw?: boolean;
  /** Whether it is called with anything at all, and no call of it counts as the valid one. */
  readonly any?: boolean;
  /** Whether an error that is not ours is the framework's, which was handed what the caller gave. */
  readonly foreign?: (error: Error) => boolean;
  /** Memory that a call may write; that of gradients and of `out` where nothing is said. */
  readonly writes?: (place: string) => boolean;
}
type Doors = Readonly<Record<string, Door>>;

const VALID: Doors = Object.fromEntries([
  ...Object.entries(CALLS).map(([name, [call, valid]]) => [name, { call, valid }] as const),
  ...Object.entries(MONITOR_CALLS).map(
    ([name, [valid, call]]) => [`monitor ${name}`, { call, valid }] as const,
  ),
  ...Object.entries(MASKING_CALLS).map(([name, [verb, args]]) => {
    const call = (fields: Fields) => verb(...Object.values(fields));
    const writes = (place: string) => args()[2] !== undefined && place === "0.data";
    return [`masking.${name}`, { call, valid: () => ({ ...args() }), writes }] as const;
  }),
]);

/** Of files, whose doors have a fuzzer of their own, and of images in files. */
const ELSEWHERE = ["SafetensorsFile", "SafetensorsWriter", "readImage", "writeImage"];
/** The package's functions and classes by their entry. */
export const VERBS: readonly (readonly [name: string, verb: unknown])[] = Object.entries({
  papo,
  "papo.cuda": papo.cuda,
  masking,
  monitor,
  reference,
  rewards,
}).flatMap(([entry, verbs]) =>
  Object.entries(verbs as unknown as Fields)
    .filter(([name, verb]) => typeof verb === "function" && !ELSEWHERE.includes(name))
    .map(([name, verb]) => [`${entry}.${name}`, verb] as const),
);

/** Each with up to four arguments, all of them wrong. */
const ANY: Doors = Object.fromEntries(
  VERBS.map(([name, verb]) => {
    const isClass = /^[A-Z]/.test(name.slice(name.lastIndexOf(".") + 1));
    const call = (fields: Fields) => {
      const given = Object.values(fields).filter((value) => value !== ABSENT);
      return isClass
        ? Reflect.construct(verb as never, given)
        : Reflect.apply(verb as never, null, given);
    };
    const valid = () => ({ first: ABSENT, second: ABSENT, third: ABSENT, fourth: ABSENT });
    return [`${name} of anything`, { call, valid, any: true }];
  }),
);
const ABSENT = Symbol("absent");

export const DOORS: Doors = { ...VALID, ...FRAMEWORK_DOORS, ...RAW_DOORS, ...ANY };
