/** The op token_stats in float64: what one or two rows of logits say about the sampled token. */
import { checkObject } from "../core/arguments.js";
import { arrayLength } from "../core/arrays.js";
import { describe, expected, type PapoError } from "../core/errors.js";
import {
  checkArray,
  checkCount,
  checkElements,
  checkNumber,
  checkNumbers,
  checkWord,
  countedRows,
  notFinite,
} from "./checks.js";
import { exactKl } from "./divergence.js";
import { type Distribution, logSoftmax } from "./log-softmax.js";
import { readOnce } from "./read-once.js";

/** Logits of the policy with the image seen and, if there is one, with the image masked. */
export interface LogitsInput {
  /** [rows, vocabSize], `rowPitch` elements from row to row; before the temperature. */
  readonly logits: ArrayLike<number>;
  /** The same shape and pitch. */
  readonly maskedLogits?: ArrayLike<number> | undefined;
  /** [rows] the sampled tokens, each in 0…vocabSize − 1 where the row counts. */
  readonly tokenIds: ArrayLike<number>;
  /** [rows] of 0 and 1; rows with 0 are not read. All rows count where it is absent. */
  readonly responseMask?: ArrayLike<number> | undefined;
  /** Rows there are, counted or not. */
  readonly rows: number;
  /** Columns of a row that count. */
  readonly vocabSize: number;
  /** Elements from one row of logits to the next; `vocabSize` by default. What lies between is not read. */
  readonly rowPitch?: number | undefined;
  /** Logits are divided by it first; finite, above 0, 1 by default. */
  readonly temperature?: number | undefined;
}

const LOGITS = ["logits", "maskedLogits"] as const;
export type LogitsName = (typeof LOGITS)[number];

export interface TokenStatsOptions extends LogitsInput {
  /** What a counted row does whose logits are no distribution: `"error"` (default) throws, `"skip"` masks it. */
  readonly onInvalid?: "error" | "skip" | undefined;
}

/** Names of the statistics, in the order of the lines of the native op. */
export const STATISTICS = [
  "logProbs",
  "maskedLogProbs",
  "entropy",
  "maskedEntropy",
  "kl",
  "reverseKl",
  "logSumExp",
  "maskedLogSumExp",
] as const;
/** The name of a statistic of a row. */
export type StatisticName = (typeof STATISTICS)[number];

/**
 * Per-token statistics, each [rows], in nats, after the temperature.
 * `kl` is KL(policy ‖ masked policy), `reverseKl` the other way round.
 * Rows that do not count hold 0, and so do the masked ones and the divergences without masked logits.
 */
export type TokenStats = Readonly<Record<StatisticName, Float64Array>> & {
  /** [rows] 1 where a counted row was skipped because its logits are no distribution. */
  readonly invalid: Int32Array;
};

/**
 * Log-probability of the sampled token, entropy, exact divergences and log-sum-exp of every counted row.
 *
 * A sampled token whose logit is −Infinity has log-probability −Infinity.
 * KL is Infinity where the second policy rules out a token to which the first gives mass.
 *
 * @throws PapoError ERR_SHAPE for lengths that do not fit, ERR_RANGE for a token id outside the vocabulary or a mask
 * that is not 0 or 1, ERR_NOT_FINITE for a counted row that holds NaN or +Infinity or nothing but −Infinity
 */
export function tokenStats(options: TokenStatsOptions): TokenStats {
  const where = "reference.tokenStats";
  options = readOnce(where, options);
  const counted = checkLogitsInput(where, options);
  const { rows, tokenIds, onInvalid = "error" } = options;
  checkWord(where, "onInvalid", onInvalid, ["error", "skip"]);
  const stats = Object.fromEntries(
    STATISTICS.map((name) => [name, new Float64Array(rows)]),
  ) as Record<StatisticName, Float64Array>;
  const invalid = new Int32Array(rows);

  for (let row = 0; row < rows; row++) {
    if (!counted[row]) continue;
    const broken = LOGITS.find((name) => options[name] && !rowDistribution(options, name, row));
    if (broken !== undefined) {
      if (onInvalid === "error") throw noDistribution(where, options, broken, row);
      invalid[row] = 1;
      continue;
    }
    const token = tokenIds[row] as number;
    const policy = rowDistribution(options, "logits", row) as Distribution;
    stats.logProbs[row] = policy.logProbs[token] as number;
    stats.entropy[row] = entropyOf(policy);
    stats.logSumExp[row] = policy.logSumExp;

    const masked = rowDistribution(options, "maskedLogits", row);
    if (masked === undefined) continue;
    stats.maskedLogProbs[row] = masked.logProbs[token] as number;
    stats.maskedEntropy[row] = entropyOf(masked);
    stats.maskedLogSumExp[row] = masked.logSumExp;
    const { kl, reverseKl } = exactKl(policy, masked);
    stats.kl[row] = kl;
    stats.reverseKl[row] = reverseKl;
  }
  return { ...stats, invalid };
}

/** Entropy −Σ p·log p in nats; a token without mass contributes 0. */
export function entropyOf({ probs, logProbs }: Distribution): number {
  let entropy = 0;
  for (let v = 0; v < probs.length; v++) {
    if (probs[v] !== 0) entropy -= (probs[v] as number) * (logProbs[v] as number);
  }
  return entropy;
}

/**
 * Checks everything but whether the logits make distributions; gives the rows that count.
 *
 * @param tokens  of the vocabulary that the ids count over, where the logits are only a part of it
 */
export function checkLogitsInput(
  where: string,
  options: LogitsInput,
  tokens: number = options?.vocabSize,
): Uint8Array {
  checkObject(where, "options", options);
  const {
    tokenIds,
    responseMask,
    rows,
    vocabSize,
    rowPitch = vocabSize,
    temperature = 1,
  } = options;
  checkCount(where, "rows", rows);
  checkVocabSize(where, vocabSize);
  checkNumber(
    where,
    "rowPitch",
    rowPitch,
    `an integer not below vocabSize ${vocabSize}`,
    (pitch) => Number.isSafeInteger(pitch) && pitch >= vocabSize,
  );
  checkNumber(where, "temperature", temperature, "finite and above 0", isPositiveFinite);
  const needed = rows === 0 ? 0 : (rows - 1) * rowPitch + vocabSize;
  for (const name of LOGITS) {
    const values = options[name];
    if (values === undefined && name === "maskedLogits") continue;
    checkArray(where, name, values);
    if ((arrayLength(values) as number) < needed) {
      const what = `${name} to hold at least ${needed} numbers`;
      throw expected("ERR_SHAPE", where, what, describe(values));
    }
  }
  checkNumbers(where, "tokenIds", tokenIds, rows);
  const counted = countedRows(where, responseMask, rows);
  for (let row = 0; row < rows; row++) {
    if (!counted[row]) continue;
    const token = tokenIds[row] as number;
    if (!(Number.isInteger(token) && token >= 0 && token < tokens)) {
      const what = `tokenIds[${row}] in 0…${tokens - 1}`;
      throw expected("ERR_RANGE", where, what, describe(token));
    }
    for (const name of LOGITS) {
      const values = options[name];
      const start = row * rowPitch;
      if (values !== undefined) checkElements(where, name, values, start, start + vocabSize);
    }
  }
  return counted;
}

export function checkVocabSize(where: string, vocabSize: number): void {
  checkNumber(where, "vocabSize", vocabSize, "a positive integer", isPositiveInteger);
}

/** The distribution of one row; undefined where the row is none, or that input is absent. */
export function rowDistribution(
  options: LogitsInput,
  name: LogitsName,
  row: number,
): Distribution | undefined {
  const { vocabSize, rowPitch = vocabSize, temperature = 1 } = options;
  const logits = options[name];
  return logits && logSoftmax(logits, row * rowPitch, vocabSize, temperature);
}

/** The error of a counted row whose logits are no distribution. */
export function noDistribution(
  where: string,
  options: LogitsInput,
  name: LogitsName,
  row: number,
): PapoError {
  const { vocabSize, rowPitch = vocabSize } = options;
  const logits = options[name] as ArrayLike<number>;
  let received = "−Infinity in every column";
  for (let v = 0; v < vocabSize; v++) {
    const logit = logits[row * rowPitch + v] as number;
    if (Number.isNaN(logit) || logit === Infinity) {
      received = `${logit} in column ${v}`;
      break;
    }
  }
  const what = `${name}[${row}] to hold numbers or −Infinity, and a finite one among them`;
  return notFinite(where, what, row, received);
}

function isPositiveInteger(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function isPositiveFinite(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}
