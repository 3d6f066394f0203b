/** The experiment: rounds that interleave all cases of a part with the machine's limits, one number per case and round. */
import { floorOf, type Limits, workOf } from "./floor.js";
import type { Case, PartPlan } from "./plan.js";
import { CaseProcess, processKey } from "./processes.js";
import type { Part, Roofline, Row } from "./result.js";
import type { RooflineMeter } from "./roofline/roofline.js";
import { quantile, spreadOf } from "./statistics.js";

export interface ExperimentOptions {
  readonly meter: RooflineMeter;
  /** The engine's instruction set where a case does not say its own. */
  readonly isa: string;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** Rounds that even the slowest case takes part in. */
const LEAST_ROUNDS = 3;
/** A case that has used this much measured time, seconds, sits out the rounds after those. */
const PATIENCE = 6;

/** A case while it is measured. */
interface Measured {
  readonly case: Case;
  readonly turns: Turn[];
  /** Seconds of all of them. */
  total: number;
  extraBytes: number | undefined;
  fresh: boolean;
  errors: Row["errors"];
  note: string | undefined;
  failure: string | undefined;
}

/** One round of one case, seconds. */
interface Turn {
  readonly group: string | undefined;
  readonly round: number;
  readonly time: number;
  readonly floor: number;
}

export async function runPart(plan: PartPlan, options: ExperimentOptions): Promise<Part> {
  const all = plan.cases.map(
    (given): Measured => ({
      case: given,
      turns: [],
      total: 0,
      extraBytes: undefined,
      fresh: false,
      errors: undefined,
      note: undefined,
      failure: undefined,
    }),
  );
  const limits = new Map<number, Limits[]>();
  const groups = new Set(plan.cases.map(({ group }) => group).filter((group) => group));
  for (const group of groups.size === 0 ? [undefined] : groups) {
    const members = membersOf(group, all);
    if (group !== undefined) options.say(`${plan.name}: ${group}`);
    await runGroup(group, members, limits, options);
  }
  const failed = all.filter(({ failure }) => failure !== undefined);
  for (const { case: given, failure } of failed) options.say(`${given.name}: ${failure}`);
  return {
    name: plan.name,
    title: plan.title,
    rooflines: [...limits].map(([threads, samples]) => rooflineOf(threads, samples)),
    rows: all
      .filter(({ turns }) => turns.length > 0)
      .map((done) => rowOf(plan, done, baseOf(done, all), options)),
    absent: {
      ...plan.absent,
      ...Object.fromEntries(
        failed.map(({ case: given, failure }) => [given.name, firstLine(failure as string)]),
      ),
    },
  };
}

/** The cases of a group, and those of none on as many threads. */
function membersOf(group: string | undefined, all: readonly Measured[]): readonly Measured[] {
  const own = all.filter(({ case: given }) => given.group === group);
  const threads = new Set(own.map(({ case: given }) => given.threads));
  return all.filter(
    (one) => own.includes(one) || (one.case.group === undefined && threads.has(one.case.threads)),
  );
}

async function runGroup(
  group: string | undefined,
  members: readonly Measured[],
  limits: Map<number, Limits[]>,
  options: ExperimentOptions,
): Promise<void> {
  const seats = await seat(members, options);
  try {
    // Starting a process makes this one's pages read-only until they are written to again, which is not to be measured.
    options.meter.measure(1);
    for (let round = 0; round < options.rounds; round++) {
      const now = measureLimits(members, limits, options.meter);
      // Every second round goes the other way, so that no case always follows the same one.
      for (const seat of round % 2 === 0 ? seats : [...seats].reverse()) {
        if (round < LEAST_ROUNDS || seat.measured.total < PATIENCE)
          await takeTurn(seat, now, { group, round, isa: options.isa });
      }
    }
    const processes = new Set(seats.map(({ process }) => process));
    await Promise.all(
      [...processes].map(async (process) => {
        for (const seat of seats) if (seat.process === process) await finish(seat);
      }),
    );
  } finally {
    await Promise.all([...new Set(seats.map(({ process }) => process))].map((p) => p.close()));
  }
}

/** A case and its place in its process. */
interface Seat {
  readonly measured: Measured;
  readonly process: CaseProcess;
  readonly index: number;
}

/** Starts the processes, side by side: nothing is timed yet. */
async function seat(members: readonly Measured[], { say }: ExperimentOptions): Promise<Seat[]> {
  const byProcess = new Map<string, Measured[]>();
  for (const measured of members) {
    const key = processKey(measured.case);
    byProcess.set(key, [...(byProcess.get(key) ?? []), measured]);
  }
  say(`  setting up ${[...byProcess.keys()].join("; ")}`);
  const seats = await Promise.all([...byProcess.values()].map(seatTogether));
  // In the order of the plan, whatever shares a process.
  return seats.flat().sort((a, b) => members.indexOf(a.measured) - members.indexOf(b.measured));
}

async function seatTogether(inside: readonly Measured[]): Promise<Seat[]> {
  const cases = inside.map((measured) => measured.case);
  const process = new CaseProcess(cases);
  for (const [index, measured] of inside.entries()) {
    await orFailure(measured, async () => {
      if (index === 0) await process.ask({ do: "begin", cases });
      const { extraBytes, fresh } = await process.ask({ do: "setUp", index });
      measured.extraBytes = extraBytes;
      measured.fresh = fresh;
    });
  }
  return inside.map((measured, index) => ({ measured, process, index }));
}

function measureLimits(
  members: readonly Measured[],
  limits: Map<number, Limits[]>,
  meter: RooflineMeter,
): ReadonlyMap<number, Limits> {
  const now = new Map<number, Limits>();
  for (const threads of new Set(members.map(({ case: given }) => given.threads))) {
    const measured = meter.measure(threads);
    now.set(threads, measured);
    limits.set(threads, [...(limits.get(threads) ?? []), measured]);
  }
  return now;
}

async function takeTurn(
  { measured, process, index }: Seat,
  limits: ReadonlyMap<number, Limits>,
  at: { readonly group: string | undefined; readonly round: number; readonly isa: string },
): Promise<void> {
  await orFailure(measured, async () => {
    const { time, spent } = await process.ask({ do: "measure", index });
    const given = measured.case;
    const floor = floorOf(
      workOf(given),
      given,
      limits.get(given.threads) as Limits,
      given.isa ?? at.isa,
    );
    measured.turns.push({ group: at.group, round: at.round, time, floor });
    measured.total += spent;
  });
}

async function finish({ measured, process, index }: Seat): Promise<void> {
  await orFailure(measured, async () => {
    const { errors, note } = await process.ask({ do: "finish", index });
    measured.errors = errors;
    measured.note = note;
  });
}

/** A case that fails says why, once, and is left alone from then on; the others go on. */
async function orFailure(measured: Measured, work: () => Promise<void>): Promise<void> {
  if (measured.failure !== undefined) return;
  try {
    await work();
  } catch (error) {
    measured.failure = error instanceof Error ? error.message : String(error);
  }
}

function rowOf(
  plan: PartPlan,
  measured: Measured,
  base: Measured | undefined,
  options: ExperimentOptions,
): Row {
  const { group: _group, relativeTo: _to, note, isa = options.isa, ...given } = measured.case;
  const { bytes, exponentials, countedRows } = workOf(given);
  const time = spreadOf(measured.turns.map((turn) => turn.time));
  const { extraBytes, errors } = measured;
  const notes = [note, measured.note].filter((text) => text !== undefined);
  return {
    part: plan.name,
    ...given,
    ...(measured.fresh && { outputs: "its own" as const }),
    ...(given.contender.startsWith("papo") || given.contender.startsWith("call") ? { isa } : {}),
    time,
    bytes,
    exponentials,
    nsPerLogit: (time.median * 1e9) / (2 * countedRows * given.vocab),
    bytesPerSecond: bytes / time.median,
    floor: quantile(
      measured.turns.map(({ floor }) => floor),
      0.5,
    ),
    share: quantile(
      measured.turns.map((turn) => turn.floor / turn.time),
      0.5,
    ),
    ...(base !== undefined && {
      relative: { to: base.case.name, time: spreadOf(ratios(measured, base)) },
    }),
    ...(extraBytes !== undefined && { extraBytes }),
    ...(errors !== undefined && { errors }),
    ...(notes.length > 0 && { note: notes.join("; ") }),
  };
}

function baseOf(measured: Measured, all: readonly Measured[]): Measured | undefined {
  const base = all.find(({ case: other }) => other.name === measured.case.relativeTo);
  return base !== undefined && ratios(measured, base).length > 0 ? base : undefined;
}

/** Of each round that both took part in: time per row and column, relative to the base. */
function ratios(measured: Measured, base: Measured): number[] {
  const size = ({ case: { rows, vocab } }: Measured) => rows * vocab;
  return measured.turns.flatMap(({ group, round, time }) => {
    const other = base.turns.find((turn) => turn.group === group && turn.round === round);
    return other === undefined ? [] : [time / size(measured) / (other.time / size(base))];
  });
}

function rooflineOf(threads: number, samples: readonly Limits[]): Roofline {
  const of = (pick: (limits: Limits) => number) => spreadOf(samples.map(pick));
  const isas = Object.keys(samples[0]?.exponentials ?? {});
  return {
    threads,
    read: of(({ read }) => read),
    copy: of(({ copy }) => copy),
    streamingCopy: of(({ streamingCopy }) => streamingCopy),
    twoByTwo: of(({ twoByTwo }) => twoByTwo),
    update: of(({ update }) => update),
    write: of(({ write }) => write),
    exponentials: Object.fromEntries(
      isas.map((isa) => [isa, of(({ exponentials }) => exponentials[isa] as number)]),
    ),
  };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] as string;
}
