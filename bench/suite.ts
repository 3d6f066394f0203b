/** Runs parts of the suite and gathers their result. */
import { freemem } from "node:os";
import { info } from "../lib/index.js";
import { VOCAB } from "./cases.js";
import { installPeers } from "./contenders/peer-packages.js";
import { PEERS } from "./contenders/peers.js";
import { runPart } from "./experiment.js";
import { commit, machine } from "./machine.js";
import { availableMemory } from "./memory.js";
import { PARTS } from "./parts/parts.js";
import type { Scope } from "./plan.js";
import type { BenchResult, Part } from "./result.js";
import { ARRAY_LENGTH, implausible, RooflineMeter } from "./roofline/roofline.js";

export interface SuiteOptions {
  readonly parts: readonly string[];
  readonly quick: boolean;
  /** Peers whose name contains this take part; all where it is absent. */
  readonly only?: string | undefined;
  /** Of every part, instead of its own number. */
  readonly rounds?: number | undefined;
  /** Each line of progress. */
  readonly say: (line: string) => void;
  /** Each part as soon as it is done. */
  readonly show: (part: Part) => void;
}

const QUICK_ARRAY_LENGTH = 2 ** 22;
const QUICK_ROUNDS = 3;
const QUICK_VOCAB = 32_000;

export async function runSuite(options: SuiteOptions): Promise<BenchResult> {
  const { quick, say } = options;
  const { isa, isas, threads } = info();
  if (options.parts.includes("peers")) await installPeers(say);
  const meter = new RooflineMeter(isas, quick ? QUICK_ARRAY_LENGTH : ARRAY_LENGTH);
  const doubt = implausible(meter.measure(1));
  if (doubt !== undefined) throw new Error(`the measured limits cannot be right: ${doubt}`);
  const parts: Part[] = [];
  for (const name of options.parts) {
    const vocab = quick ? QUICK_VOCAB : VOCAB;
    const memory = availableMemory(freemem());
    const scope: Scope = { quick, vocab, threads, isas, only: options.only, memory };
    const plan = await (PARTS[name] as (typeof PARTS)[string])(scope);
    const rounds = options.rounds ?? (quick ? QUICK_ROUNDS : plan.rounds);
    say(`${name}: ${plan.cases.length} cases, ${rounds} rounds`);
    const start = performance.now();
    const part = await runPart(plan, { meter, isa, rounds, say });
    say(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
    options.show(part);
    parts.push(part);
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: machine(await versions(parts)),
    parts,
  };
}

/** Of the peers that have a row. */
async function versions(parts: readonly Part[]): Promise<Record<string, string>> {
  const seen = new Set(parts.flatMap(({ rows }) => rows.map(({ contender }) => contender)));
  const own = PEERS.filter(({ name }) => seen.has(name));
  return Object.fromEntries(
    await Promise.all(own.map(async (peer) => [peer.name, await peer.version()] as const)),
  );
}
