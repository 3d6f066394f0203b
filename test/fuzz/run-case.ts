/** Runs one case and judges what came of it: a result, or an error that is documented and changed nothing. */
import { PapoError } from "../../lib/index.js";
import { OWN } from "../support/hostile.js";
import type { Fields } from "../support/valid-calls.js";
import { type Case, isContainer, type Mutation, placesOf } from "./cases.js";
import { DOORS, type Door } from "./doors.js";
import { checkKnownGood } from "./known-good.js";
import { callsSeen } from "./seen.js";
import { VALUES } from "./values.js";
import { changeOf, guarded, type Memory, memoryOf } from "./watched.js";
import { WAYS } from "./ways.js";

export interface Outcome {
  readonly kind: "success" | "refused" | "the caller's own";
  /** Of what was refused. */
  readonly code?: string;
  /** Whether a call reached the addon, and whether it went through there. */
  readonly reached: boolean;
  readonly ran: boolean;
}

const CODES = new Set(
  (
    "ARGUMENT SHAPE DTYPE RANGE NOT_FINITE DISPOSED BUFFER DEVICE_MISMATCH DEVICE_UNAVAILABLE " +
    "UNSUPPORTED FILE OUT_OF_MEMORY ABORTED"
  )
    .split(" ")
    .map((word) => `ERR_${word}`),
);
const IN_PLACE = /^numbers\..* memory$/;
const GETTERS = /^(Receiver must be|Cannot perform)/;
/** Found in the logits while a call runs: its outputs are then unfinished, but where statistics come first. */
const FOUND_ON_THE_WAY = "ERR_NOT_FINITE";
const STATISTICS_FIRST = /tokenStatsGrad/i;

/** Runs a case; throws where a property does not hold. */
export async function runCase(said: Case): Promise<Outcome> {
  const door = DOORS[said.door];
  if (door === undefined) throw new Error(`no door ${said.door}`);
  const fields = ownCopy(door.valid()) as Fields;
  guarded(fields, said.shift);
  const memory = memoryOf(fields);
  const undo: (() => void)[] = [];
  let writes = false;
  const before = callsSeen();
  let error: unknown;
  let failed = false;
  try {
    const { mutations } = said;
    for (const [i, mutation] of mutations.entries()) {
      // What is made of a valid value is not made of a wrong one, which may be an array without an end.
      if (mutations.slice(i + 1).some(({ place }) => place === mutation.place)) continue;
      writes = applied(fields, mutation, memory, undo) || writes;
    }
    await door.call(fields);
  } catch (thrown) {
    failed = true;
    error = thrown;
  } finally {
    for (const step of undo.reverse()) step();
  }
  const after = callsSeen();
  const code = failed ? judged(door, said, error) : undefined;
  checkMemory(said.door, memory, writes, failed, code);
  if (failed) checkKnownGood();
  const reached = after.reached > before.reached;
  const ran = after.ran > before.ran;
  if (!failed) return { kind: "success", reached, ran };
  return code === undefined
    ? { kind: "the caller's own", reached, ran }
    : { kind: "refused", code, reached, ran };
}

/** Objects and arrays are copied, down to what is none: some fields are constants of other tests. */
function ownCopy(value: unknown, depth = 4): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return (value as Float32Array).slice();
  }
  if (!isContainer(value) || depth === 0) return value;
  if (Array.isArray(value)) return value.map((each) => ownCopy(each, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, ownCopy(each, depth - 1)]),
  );
}

/** Makes one place wrong; whether the caller's own code writes memory meanwhile. */
function applied(
  fields: Fields,
  { place, way, value }: Mutation,
  memory: readonly Memory[],
  undo: (() => void)[],
): boolean {
  const keys = place.split(".");
  const key = keys.pop() as string;
  let holder: unknown = fields;
  for (const each of keys) holder = isContainer(holder) ? (holder as Fields)[each] : undefined;
  // What holds it was made wrong itself.
  if (!isContainer(holder) || Object.isFrozen(holder)) return false;
  const target = holder as Fields;
  const { apply, writes = false } = WAYS[way] as (typeof WAYS)[string];
  // Not by a read: another mutation may have left a getter.
  const valid: unknown = Object.getOwnPropertyDescriptor(target, key)?.value;
  const wrong = () => wrongValue(value, valid);
  const others = () =>
    memory.filter((each) => !each.place.startsWith(place)).map(({ view }) => view);
  apply({ holder: target, key, valid, wrong, others, undo });
  // An output of the addon that lies in another tensor's memory: a gradient in the place of its logits.
  return writes || IN_PLACE.test(place);
}

/** What cannot be made of a valid value (no tensor of doubles is also one of floats) is -1. */
function wrongValue(name: string, valid: unknown): unknown {
  try {
    return VALUES[name]?.(valid);
  } catch {
    return -1;
  }
}

/** The code of what was refused; undefined for what the caller's own code threw. */
function judged(door: Door, said: Case, error: unknown): string | undefined {
  if (error === OWN) return undefined;
  // An area is any object whose fields are read: getters of the language and of tensors may throw what they like.
  if (door.raw && error instanceof TypeError && GETTERS.test(error.message)) return undefined;
  if (error instanceof Error && door.foreign?.(error)) return undefined;
  const { code, message } = Object(error) as { code?: string; message?: string };
  if (!(door.raw ? error instanceof Error : error instanceof PapoError)) {
    throw new Error("not a PapoError", { cause: error });
  }
  if (!CODES.has(code as string)) throw new Error(`code ${code}`, { cause: error });
  const isAbort = door.raw && code === "ERR_ABORTED";
  if ((!isAbort && !/^\[[^\]]*\] \S/s.test(message ?? "")) || message?.includes("[object ")) {
    throw new Error("not a sentence", { cause: error });
  }
  // An abort has no argument to be blamed.
  if (code === "ERR_ABORTED") return code;
  if (!door.any && !isNamed(message as string, said)) {
    throw new Error("names no argument", { cause: error });
  }
  return code;
}

/** What messages may name instead: what is missing beside the argument, or what the argument is as a whole. */
const OTHER_NAMES =
  "options batch spec objective config shape cuSeqlens logits states values kl rows unknownKey plainObject memory argument";

const wordsOfDoors = new Map<string, readonly string[]>();

/** What a call of a door may be said to be wrong in. */
function wordsOf(door: string): readonly string[] {
  const known = wordsOfDoors.get(door);
  if (known !== undefined) return known;
  const places = placesOf(DOORS[door]?.valid() ?? {}).filter((place) => !/^\d+$/.test(place));
  const words = wordsIn(`${places.join(" ")} ${door.replace(/^\S*\./, "")} ${OTHER_NAMES}`);
  wordsOfDoors.set(door, words);
  return words;
}

function wordsIn(text: string): string[] {
  return text
    .split(/[. ,]/)
    .map(plain)
    .filter((word) => word.length > 1);
}

/** Whether a message names an argument: a word of one of the call's places, or of `OTHER_NAMES`. */
function isNamed(message: string, { door, mutations }: Case): boolean {
  const made = mutations.flatMap(({ place }) => wordsIn(place));
  const said = plain(message);
  return mutations.length === 0 || [...made, ...wordsOf(door)].some((word) => said.includes(word));
}

/** Letters only: native names have underscores, ours have none. */
function plain(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, "");
}

function checkMemory(
  name: string,
  memory: readonly Memory[],
  writes: boolean,
  failed: boolean,
  code: string | undefined,
): void {
  const door = DOORS[name];
  const writable = door?.writes ?? ((place: string) => /(^|\.)(grad|out\b)/.test(place));
  // The addon's own door has no line to leave: what is aborted there runs.
  const isAborted = door?.raw === true && code === "ERR_ABORTED";
  const isFound = code === FOUND_ON_THE_WAY && !STATISTICS_FIRST.test(name);
  const mayBeUnfinished = !failed || isFound || isAborted;
  for (const each of memory) {
    const change = changeOf(each);
    if (change === "none") continue;
    if (change === "guard") throw new Error(`wrote beyond ${each.place}`);
    if (writes) continue;
    if (writable(each.place) && mayBeUnfinished) continue;
    throw new Error(`${each.place} changed${failed ? `, and the call failed: ${code}` : ""}`);
  }
}
