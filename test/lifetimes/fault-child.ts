/**
 * Calls while the addon gets no memory or no threads: `fault-child.ts FAULTS memory|threads GRANTED`, with the library of
 * `faults.cpp` preloaded. Prints what came of it as JSON.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { binding } from "../../lib/addon/load.js";
import { info, type PapoError } from "../../lib/index.js";
import { bitsOf, papo, problem } from "./problem.js";

interface Faults {
  arm(path: string, requests: number, lasting: boolean, threads: number): void;
  disarm(): number;
  held(): number;
}

const [library = "", kind, granted] = process.argv.slice(2);
const faults = createRequire(import.meta.url)(library) as Faults;
const { path } = info();

/** Many blocks, so that threads take part. */
const [ROWS, VOCAB] = [64, 8192];

async function threads(): Promise<object> {
  faults.arm(path, -1, true, Number(granted));
  const { bits } = problem(ROWS, VOCAB, 1);
  const [failed, { threads }] = [faults.disarm(), info()];
  const then = [bits];
  // It tries again now and then; the bound is for a pool that does not.
  for (let tries = 0; info().threads < 4 && tries < 500; tries++) {
    await sleep(20);
    then.push(problem(ROWS, VOCAB, 1).bits);
  }
  return { failed, threads, later: info().threads, bits: [...new Set(then)] };
}

async function memory(): Promise<object> {
  // Before the first of the pool's threads is begun.
  faults.arm(path, 0, true, -1);
  const first = await outcomeOf(() => problem(ROWS, VOCAB, 1));
  assert.ok(faults.disarm() > 0);

  const { batch, bits } = problem(ROWS, VOCAB, 1);
  const given = batch();
  const broken = { ...given, oldLogProbs: new Float64Array(ROWS).fill(Number.NaN) };
  const invalid = { ...given, logits: batch().logits };
  invalid.logits.data.fill(Number.NaN, 40 * VOCAB, 41 * VOCAB);
  const kinds: Readonly<Record<string, () => unknown>> = {
    evaluate: () => papo.evaluate(given),
    evaluateAsync: () => papo.evaluateAsync(given),
    "a row that is not finite": () => papo.evaluate(invalid),
    "the same, off the event loop": () => papo.evaluateAsync(invalid),
    "a number that is refused": () => papo.evaluate(broken),
    "an op that is refused": () => binding().run(99, new Float64Array(1), undefined),
    "a promise that is refused": () =>
      binding().runAsync(0, new Float64Array(1), undefined, undefined),
    info: () => binding().info(),
    configure: () => binding().configure(2),
    allocate: () => binding().allocate("cuda:77", 1),
  };
  const outcomes: Record<string, string[]> = { first: [first] };
  for (const [name, call] of Object.entries(kinds)) {
    outcomes[name] = await untilItSucceeds(call);
    assert.equal(bitsOf(papo.evaluate(given)), bits);
    assert.equal(bitsOf(await papo.evaluateAsync(given)), bits);
    // Twice: what a call keeps for good, it keeps once.
    const before = faults.held();
    await untilItSucceeds(call);
    assert.equal(faults.held(), before, `${name} leaves memory behind`);
  }
  return outcomes;
}

/** Lets the first request of a call fail, then the second, until all of them are granted. */
async function untilItSucceeds(call: () => unknown): Promise<string[]> {
  const outcomes: string[] = [];
  for (const lasting of [false, true]) {
    // Of the hundreds of a long call not every one.
    for (let requests = 0; ; requests += 1 + (requests >> 4)) {
      faults.arm(path, requests, lasting, -1);
      const outcome = await outcomeOf(call);
      if (faults.disarm() === 0) break;
      outcomes.push(outcome);
    }
  }
  return outcomes;
}

async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return "ok";
  } catch (error) {
    const { code } = error as PapoError;
    assert.match(String(code), /^ERR_[A-Z_]+$/, String(error));
    return code;
  }
}

console.log(JSON.stringify(await (kind === "threads" ? threads() : memory())));
