/** How far apart the instruction sets are, in units in the last place, and which of them are the same to the bit. */
import test from "ava";
import { info } from "../../lib/index.js";
import { ulpOf } from "../support/ulps.js";
import { type IsaResult, resultsOn } from "./isa-results.js";

/**
 * What two instruction sets may differ by. Statistics: in float32's ULP of the value, or of 1 nat where it is smaller,
 * since what differs is the float32 exponentials and their sums. Gradients: in the ULP of their dtype at the batch's largest
 * element; a row has fewer digits of its own where one token has nearly all of the mass, and all of it is 1 − p.
 * Seen over 25 seeds of such batches, by avx512, avx2, neon and scalar: log-probs 0.66, entropies 6.8, KLs 8.9, float32
 * gradients 8 (`far`; 3 elsewhere). 19 of 20 batches stay within half of the bounds.
 */
const MOST_ULPS = {
  logProbs: 1,
  maskedLogProbs: 1,
  entropy: 10,
  maskedEntropy: 10,
  kl: 12,
  reverseKl: 12,
  float32: 12,
  float16: 1,
  bfloat16: 1,
} as const;

/** float32's ULP over that of a dtype. */
const COARSER = { float32: 1, float16: 2 ** 13, bfloat16: 2 ** 16 } as const;

const isas = info().isas;
const results = Promise.all(isas.map(resultsOn));

function statisticUlps(a: Float64Array, b: Float64Array): number {
  let most = 0;
  a.forEach((value, row) => {
    const other = b[row] as number;
    if (value === other) return;
    const difference = Math.abs(value - other);
    most = Math.max(most, difference / ulpOf(Math.max(1, Math.abs(value)), "float32"));
  });
  return most;
}

/** Of both gradients, by the largest element of them. */
function gradientUlps(a: IsaResult, b: IsaResult): number {
  let [largest, difference] = [0, 0];
  a.gradients.forEach((values, g) => {
    const others = b.gradients[g] as Float64Array;
    values.forEach((value, at) => {
      largest = Math.max(largest, Math.abs(value));
      difference = Math.max(difference, Math.abs(value - (others[at] as number)));
    });
  });
  return difference / (ulpOf(largest, "float32") * COARSER[a.dtype]);
}

/** The largest distance of each quantity. */
function distances(a: readonly IsaResult[], b: readonly IsaResult[]): Map<string, number> {
  const most = new Map<string, number>();
  const put = (name: string, ulps: number) => most.set(name, Math.max(most.get(name) ?? 0, ulps));
  a.forEach((result, i) => {
    const other = b[i] as IsaResult;
    for (const [name, values] of result.statistics) {
      put(name, statisticUlps(values, other.statistics.get(name) as Float64Array));
    }
    put(result.dtype, gradientUlps(result, other));
  });
  return most;
}

test("any two instruction sets agree within a few ULP, statistic by statistic and dtype by dtype", async (t) => {
  const all = await results;
  for (const [i, first] of all.entries()) {
    for (const [j, second] of all.entries()) {
      if (j <= i) continue;
      const seen = distances(first, second);
      const pair = `${isas[i]} and ${isas[j]}`;
      t.is(seen.size, Object.keys(MOST_ULPS).length);
      for (const [name, most] of Object.entries(MOST_ULPS)) {
        const ulps = seen.get(name) as number;
        t.true(ulps <= most, `${name} of ${pair}: ${ulps} ULP, at most ${most}`);
      }
    }
  }
});

test("what converts bfloat16 in hardware gives the bits of what converts it in integers", async (t) => {
  const all = await results;
  const [hardware, integers] = [isas.indexOf("avx512_bf16"), isas.indexOf("avx512")];
  if (hardware < 0 || integers < 0) {
    t.pass("this processor has not both");
    return;
  }
  t.deepEqual(all[hardware], all[integers]);
});
