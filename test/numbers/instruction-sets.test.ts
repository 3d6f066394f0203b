/** How far apart the instruction sets are, in units in the last place, and which of them are the same to the bit. */
import test from "ava";
import { info } from "../../lib/index.js";
import { ulpOf } from "../support/ulps.js";
import { ISA_BATCH, type IsaResult, ROWS, resultsOn } from "./isa-results.js";

/**
 * What two instruction sets may differ by. Statistics: in float32's ULP of the value, or of 1 nat where it is smaller,
 * since what differs is the float32 exponentials and their sums. Gradients: in the ULP of their dtype at the row's largest
 * element; float32's differ most where a token has nearly all of the mass, and all of the row is 1 − p and the others' share.
 * Seen: log-probs 0.25, entropies 4.1, KLs 5.7; gradients 32 (`wide`; 11 elsewhere), in 16 bits 0.03 (of small elements).
 */
const MOST_ULPS = {
  logProbs: 0.4,
  maskedLogProbs: 0.4,
  entropy: 6,
  maskedEntropy: 6,
  kl: 8,
  reverseKl: 8,
  float32: 48,
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

function gradientUlps(a: Float64Array, b: Float64Array, dtype: IsaResult["dtype"]): number {
  let most = 0;
  const { vocabSize } = ISA_BATCH;
  for (let row = 0; row < ROWS; row++) {
    let [largest, difference] = [0, 0];
    for (let at = row * vocabSize; at < (row + 1) * vocabSize; at++) {
      largest = Math.max(largest, Math.abs(a[at] as number));
      difference = Math.max(difference, Math.abs((a[at] as number) - (b[at] as number)));
    }
    if (largest > 0)
      most = Math.max(most, difference / (ulpOf(largest, "float32") * COARSER[dtype]));
  }
  return most;
}

/** The largest distance of each quantity. */
function distances(a: readonly IsaResult[], b: readonly IsaResult[]): Map<string, number> {
  const most = new Map<string, number>();
  const put = (name: string, ulps: number) => most.set(name, Math.max(most.get(name) ?? 0, ulps));
  a.forEach(({ dtype, statistics, gradients }, i) => {
    const other = b[i] as IsaResult;
    for (const [name, values] of statistics) {
      put(name, statisticUlps(values, other.statistics.get(name) as Float64Array));
    }
    gradients.forEach((values, g) => {
      put(dtype, gradientUlps(values, other.gradients[g] as Float64Array, dtype));
    });
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
