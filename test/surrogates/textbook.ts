/**
 * Every surrogate as the textbook has it: plain arithmetic of one token after the other, written without a look at the
 * library. `at` are the log-probs that move; what a formula stops the gradient of is taken at the batch's own.
 */
import type { SurrogateKind } from "../../lib/surrogates/table.js";
import type { Tokens } from "./batches.js";

interface VespoParameters {
  readonly powerPositive: number;
  readonly decayPositive: number;
  readonly powerNegative: number;
  readonly decayNegative: number;
}

type Values = (at: Float64Array, batch: Tokens, parameters: never) => number[];

const clip = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const get = (values: ArrayLike<number>, row: number) => values[row] as number;

const counts = (batch: Tokens, row: number) => batch.mask === undefined || batch.mask[row] === 1;

/** Counted rows of the sequence that the row is in. */
function companions(batch: Tokens, row: number): number[] {
  const s = Array.from(batch.offsets).findLastIndex((offset) => offset <= row);
  const rows: number[] = [];
  for (let i = get(batch.offsets, s); i < get(batch.offsets, s + 1); i++) {
    if (counts(batch, i)) rows.push(i);
  }
  return rows;
}

const everywhere = (batch: Tokens) =>
  Array.from(batch.logProbs.keys()).filter((row) => counts(batch, row));

/** 0 where the mask is 0 and where the advantage is 0. */
const each = (batch: Tokens, value: (row: number, a: number) => number): number[] =>
  Array.from(batch.logProbs, (_, row) => {
    if (!counts(batch, row)) return 0;
    const a = get(batch.advantages, row);
    return a === 0 ? 0 : value(row, a);
  });

function ppo(ratio: number, a: number, { clip: { low, high, dual } }: Tokens): number {
  const pessimistic = Math.max(-ratio * a, -clip(ratio, 1 - low, 1 + high) * a);
  return a < 0 && dual > 0 ? Math.min(pessimistic, -dual * a) : pessimistic;
}

const drift = (at: Float64Array, batch: Tokens, row: number) =>
  get(at, row) - get(batch.oldLogProbs, row);
const ratioOf = (at: Float64Array, batch: Tokens, row: number) => Math.exp(drift(at, batch, row));

const sequenceLog = (at: Float64Array, batch: Tokens, row: number) =>
  mean(companions(batch, row).map((i) => drift(at, batch, i)));

/** (A − mean A)(ℓ − mean ℓ) of counted rows. */
function covariance(batch: Tokens): (row: number) => number {
  const rows = everywhere(batch);
  const meanAdvantage = mean(rows.map((row) => get(batch.advantages, row)));
  const meanLogProb = mean(rows.map((row) => get(batch.logProbs, row)));
  return (row) =>
    (get(batch.advantages, row) - meanAdvantage) * (get(batch.logProbs, row) - meanLogProb);
}

const sampler = (batch: Tokens) => batch.rolloutLogProbs ?? batch.oldLogProbs;

function kept(
  at: Float64Array,
  batch: Tokens,
  keeps: (p: number, q: number, a: number) => boolean,
  penalty = 0,
): number[] {
  const values = each(batch, (row, a) => {
    const q = Math.exp(get(sampler(batch), row));
    const p = Math.exp(get(batch.logProbs, row));
    return keeps(p, q, a) ? (-a * Math.exp(get(at, row))) / q : 0;
  });
  for (const row of everywhere(batch)) {
    const log = get(at, row) - get(sampler(batch), row);
    values[row] = get(values, row) + penalty * log * log;
  }
  return values;
}

const twoOutcomes = (p: number, q: number) =>
  p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));

export const TEXTBOOK: Readonly<Record<SurrogateKind, Values>> = {
  "ppo-clip": (at, batch) => each(batch, (row, a) => ppo(ratioOf(at, batch, row), a, batch)),

  cispo: (at, batch, { ratioCap }: { ratioCap: number }) =>
    each(
      batch,
      (row, a) => -Math.min(ratioOf(batch.logProbs, batch, row), ratioCap) * a * get(at, row),
    ),

  "cispo-two-sided": (at, batch) =>
    each(batch, (row, a) => {
      const weight = clip(
        ratioOf(batch.logProbs, batch, row),
        1 - batch.clip.low,
        1 + batch.clip.high,
      );
      return -weight * a * get(at, row);
    }),

  sapo: (at, batch, tau: { temperaturePositive: number; temperatureNegative: number }) =>
    each(batch, (row, a) => {
      const t = a > 0 ? tau.temperaturePositive : tau.temperatureNegative;
      return -(4 / t) * sigmoid(t * (ratioOf(at, batch, row) - 1)) * a;
    }),

  gspo: (at, batch) =>
    each(batch, (row, a) => ppo(Math.exp(sequenceLog(at, batch, row)), a, batch)),

  "gspo-token": (at, batch, { sequenceLogRatioMax }: { sequenceLogRatioMax: number }) =>
    each(batch, (row, a) => {
      const log = get(at, row) - get(batch.logProbs, row) + sequenceLog(batch.logProbs, batch, row);
      return ppo(Math.exp(Math.min(log, sequenceLogRatioMax)), a, batch);
    }),

  gmpo: (at, batch) =>
    Array.from(batch.logProbs, (_, row) => {
      if (!counts(batch, row)) return 0;
      const rows = companions(batch, row);
      const logs = rows.map((i) => {
        const s = Math.sign(get(batch.advantages, i));
        const log = drift(at, batch, i);
        return s * Math.min(s * log, s * clip(log, -batch.clip.low, batch.clip.high));
      });
      return -mean(rows.map((i) => get(batch.advantages, i))) * Math.exp(mean(logs));
    }),

  vespo: (at, batch, k: VespoParameters) =>
    each(batch, (row, a) => {
      const total = companions(batch, row).reduce((x, i) => x + drift(batch.logProbs, batch, i), 0);
      const w = clip(Math.exp(total), 1e-8, Math.exp(20));
      const [power, decay] =
        a >= 0 ? [k.powerPositive, k.decayPositive] : [k.powerNegative, k.decayNegative];
      const phi = Math.exp(decay) * w ** power * Math.exp(-decay * w);
      return -phi * a * get(at, row);
    }),

  reinforce: (at, batch) => each(batch, (row, a) => -a * get(at, row)),

  // With fraction 1 there is nothing to draw: every candidate goes.
  "clip-cov": (at, batch, { lower, upper }: { lower: number; upper: number }) =>
    each(batch, (row, a) => {
      const here = ppo(ratioOf(batch.logProbs, batch, row), a, batch);
      const isFree = here === -a * ratioOf(batch.logProbs, batch, row);
      const cov = covariance(batch)(row);
      if (isFree && cov > lower && cov < upper) return 0;
      return ppo(ratioOf(at, batch, row), a, batch);
    }),

  "kl-cov": (at, batch, p: { fraction: number; coefficient: number }) => {
    const rows = everywhere(batch);
    const cov = covariance(batch);
    const chosen = [...rows]
      .sort((a, b) => cov(b) - cov(a))
      .slice(0, Math.max(1, Math.floor(p.fraction * rows.length)));
    const values = each(batch, (row, a) => -ratioOf(at, batch, row) * a);
    for (const row of chosen) {
      values[row] = get(values, row) + p.coefficient * Math.abs(drift(at, batch, row));
    }
    return values;
  },

  dppo: (
    at,
    batch,
    d: {
      divergence: string;
      low: number;
      high: number;
      conditional: boolean;
      logRatioPenalty: number;
    },
  ) =>
    kept(
      at,
      batch,
      (p, q, a) => {
        const distance = d.divergence === "tv" ? Math.abs(p - q) : twoOutcomes(q, p);
        const tooHigh = p > q && distance > d.high && (!d.conditional || a > 0);
        const tooLow = p < q && distance > d.low && (!d.conditional || a < 0);
        return !tooHigh && !tooLow;
      },
      d.logRatioPenalty,
    ),

  icepop: (at, batch, { low, high }: { low: number; high: number }) =>
    kept(at, batch, (p, q) => p / q >= low && p / q <= high),

  kpop: (at, batch, { limit, logRatioPenalty }: { limit: number; logRatioPenalty: number }) =>
    kept(
      at,
      batch,
      (p, q) => Math.max(twoOutcomes(p, q), twoOutcomes(q, p)) <= limit,
      logRatioPenalty,
    ),
};
