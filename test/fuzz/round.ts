/** One round of the fuzzer: so many cases of each door, counted; what fails is shrunk and reported once. */
import fc from "fast-check";
import { type Case, casesOf, placesOf } from "./cases.js";
import { DOORS } from "./doors.js";
import { runCase } from "./run-case.js";

/** What came of the calls of one door. */
export interface Tally {
  calls: number;
  successes: number;
  /** Refused, by code; what the caller's own code threw has none. */
  refused: Record<string, number>;
  /** Reached the addon, and went through there. */
  reached: number;
  ran: number;
}

export interface Failure {
  readonly case: Case;
  /** The property that does not hold, and the error that shows it. */
  readonly why: string;
  /** Repeats it before it was shrunk. */
  readonly seed: number;
  readonly path: string | null;
}

const placesOfDoors = new Map<string, readonly string[]>();

function placesIn(door: string): readonly string[] {
  const known = placesOfDoors.get(door);
  if (known !== undefined) return known;
  const places = placesOf(DOORS[door]?.valid() ?? {});
  // A call without arguments is called all the same.
  const some = places.length > 0 ? places : ["none"];
  placesOfDoors.set(door, some);
  return some;
}

export function emptyTally(): Tally {
  return { calls: 0, successes: 0, refused: {}, reached: 0, ran: 0 };
}

/** Seconds of processor time of the whole process, the collection of garbage included. */
const MOST_SECONDS = 5;

/** Runs a case; a call that takes long is a failure, a machine that is busy is none. */
async function inTime<T>(act: () => Promise<T>): Promise<T> {
  const before = process.cpuUsage();
  const result = await act();
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  if (seconds > MOST_SECONDS) throw new Error(`takes ${seconds} s of processor time`);
  return result;
}

/** `calls` cases of a door; the first failure ends them, and is shrunk. */
export async function fuzzDoor(
  door: string,
  calls: number,
  seed: number,
  tally: Tally,
  before: (each: Case) => void = () => {},
): Promise<Failure | undefined> {
  const property = fc.asyncProperty(casesOf(door, placesIn(door)), async (each) => {
    before(each);
    tally.calls++;
    const { kind, code, reached, ran } = await inTime(() => runCase(each));
    if (kind === "success") tally.successes++;
    else tally.refused[code ?? "own"] = (tally.refused[code ?? "own"] ?? 0) + 1;
    if (reached) tally.reached++;
    if (ran) tally.ran++;
  });
  const result = await fc.check(property, { numRuns: calls, seed });
  if (!result.failed) return undefined;
  const [shrunk] = result.counterexample ?? [];
  const why = sentenceOf(result.errorInstance);
  return { case: shrunk as Case, why, seed, path: result.counterexamplePath };
}

/** An error and its cause, without their stacks but for the first line. */
function sentenceOf(error: unknown): string {
  const { message, cause } = Object(error) as { message?: string; cause?: unknown };
  if (cause === undefined) return String(message ?? "nothing was said");
  const { stack } = Object(cause) as { stack?: string };
  const lines = typeof stack === "string" ? stack.split("\n").slice(0, 3) : [typeof cause];
  return [message, ...lines.map((line) => line.trim())].join(" | ");
}
