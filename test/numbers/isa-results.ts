/** What each instruction set makes of the same batches, in a process each, and how far apart two of them are. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { LOGITS_DTYPES } from "../ops/engine-batch.js";
import { programBeside } from "../support/beside.js";
import { DISTRIBUTIONS, type DistributionName } from "../support/inputs.js";

export const ISA_BATCH = {
  seed: 17,
  sequences: 2,
  tokens: 4,
  vocabSize: 4099,
  full: true,
} as const;
export const STATISTIC_NAMES = [
  "logProbs",
  "maskedLogProbs",
  "entropy",
  "maskedEntropy",
  "kl",
  "reverseKl",
] as const;

export const ROWS: number = ISA_BATCH.sequences * ISA_BATCH.tokens;
const PER_GRADIENT = ROWS * ISA_BATCH.vocabSize;

export interface IsaResult {
  readonly dtype: (typeof LOGITS_DTYPES)[number];
  readonly distribution: DistributionName;
  /** [rows] of each name, nats. */
  readonly statistics: ReadonlyMap<string, Float64Array>;
  /** [rows, vocab] of both logits, as they were stored. */
  readonly gradients: readonly Float64Array[];
}

export async function resultsOn(isa: string): Promise<IsaResult[]> {
  const child = programBeside(import.meta.url, "isa-child");
  const { stdout } = await promisify(execFile)(process.execPath, child, {
    env: { ...process.env, PAPO_CPU_ISA: isa },
    encoding: "buffer",
    maxBuffer: 2 ** 28,
  });
  const numbers = new Float64Array(new Uint8Array(stdout).buffer);
  let at = 0;
  const take = (count: number) => {
    at += count;
    return numbers.subarray(at - count, at);
  };
  const results = LOGITS_DTYPES.flatMap((dtype) =>
    DISTRIBUTIONS.map((distribution) => ({
      dtype,
      distribution,
      statistics: new Map(STATISTIC_NAMES.map((name) => [name, take(ROWS)])),
      gradients: [take(PER_GRADIENT), take(PER_GRADIENT)],
    })),
  );
  if (at !== numbers.length) throw new Error(`expected ${at} numbers, received ${numbers.length}`);
  return results;
}
