/** Calls without end, good and bad ones, in memory that does not grow; tensors that nobody disposes of. */
import assert from "node:assert/strict";
import { PapoError, zeros } from "../../../lib/index.js";
import { papo, problem } from "../problem.js";
import { collect, MEBIBYTE, type Scene } from "../scene.js";

/** Calls of a round, in turns of all kinds. */
const CALLS = 1000;

export const flat: Scene = {
  claim: "calls without end take no more memory than the first ones",
  rounds: 2,
  long: 100,
  async run(rounds) {
    const { batch } = problem(3, 1000, 5);
    const given = batch();
    const gradLogits = zeros(given.logits.shape);
    const gradMaskedLogits = zeros(given.logits.shape);
    const outputs = { gradLogits, gradMaskedLogits };
    const bound = papo.bind(given, outputs);
    const wrong = { ...given, tokenIds: Int32Array.of(1, 2, 1000) };
    const broken = { ...given, oldLogProbs: Float64Array.of(-1, Number.NaN, -1) };
    const aborted = AbortSignal.abort();
    const kinds: readonly (() => unknown)[] = [
      () => papo.evaluate(given, outputs),
      () => papo.evaluate(given),
      () => bound.run(),
      () => papo.evaluateAsync(given, outputs),
      () => bound.runAsync(),
      () => failing(() => papo.evaluate(wrong, outputs)),
      () => failing(() => papo.evaluate(broken)),
      () => failing(() => papo.evaluateAsync(wrong)),
      () => failing(() => papo.evaluateAsync(given, { gradLogits: given.logits })),
      () => assert.rejects(papo.evaluateAsync(given, { signal: aborted })),
      () => abortedLate(given),
    ];
    const round = async () => {
      for (let call = 0; call < CALLS; call++) await kinds[call % kinds.length]?.();
    };
    // Code is compiled and pools fill up.
    for (let i = 0; i < 3; i++) await round();
    const before = await collect();
    for (let i = 0; i < rounds; i++) await round();
    const after = await collect();
    checkGrowth(before, after, rounds * CALLS);
  },
};

async function failing(call: () => unknown): Promise<void> {
  await assert.rejects(async () => call(), PapoError);
}

async function abortedLate(given: Parameters<typeof papo.evaluate>[0]): Promise<void> {
  const controller = new AbortController();
  const running = papo.evaluateAsync(given, { signal: controller.signal });
  controller.abort();
  await running.catch(() => undefined);
}

/** Whatever a call leaves behind is more than a hundred bytes, of one kind of memory or another. */
function checkGrowth(before: NodeJS.MemoryUsage, after: NodeJS.MemoryUsage, calls: number): void {
  const grown = (kind: keyof NodeJS.MemoryUsage) => after[kind] - before[kind];
  const said = `${calls} calls: ${(["heapUsed", "external", "arrayBuffers", "rss"] as const)
    .map((kind) => `${kind} ${(grown(kind) / MEBIBYTE).toFixed(2)} MiB`)
    .join(", ")}`;
  console.log(said);
  assert.ok(grown("arrayBuffers") < MEBIBYTE / 4, said);
  assert.ok(grown("external") < MEBIBYTE / 4, said);
  assert.ok(grown("heapUsed") < MEBIBYTE / 4 + 16 * calls, said);
  // The resident set also has what V8 keeps for the next collection.
  assert.ok(grown("rss") < 24 * MEBIBYTE, said);
}

export const dropped: Scene = {
  claim: "the memory of tensors that nobody disposed of comes back",
  rounds: 1,
  long: 20,
  async run(rounds) {
    const shape = [16, 16384];
    zeros(shape);
    const before = await collect();
    for (let i = 0; i < 1000 * rounds; i++) {
      zeros(shape).data[0] = 1;
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const after = await collect();
    const grown = after.arrayBuffers - before.arrayBuffers;
    assert.ok(grown < 4 * MEBIBYTE, `${grown} bytes are left of ${rounds * 1000} MiB`);
  },
};
