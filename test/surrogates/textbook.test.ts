/** Every surrogate against its textbook formula: values everywhere, slopes by central differences away from kinks. */
import test from "ava";
import { finiteDifference } from "../../lib/reference/index.js";
import { SURROGATES, type SurrogateKind } from "../../lib/surrogates/table.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";
import { evaluate, type RandomBatchOptions, randomBatch, type Tokens } from "./batches.js";
import { TEXTBOOK } from "./textbook.js";

const BATCHES = 12;
const STEP = 1e-3;

/** Parameters with which every branch of a formula is taken somewhere, and the defaults. */
const SETTINGS: Readonly<Record<SurrogateKind, readonly object[]>> = {
  "ppo-clip": [{}],
  cispo: [{ ratioCap: 5 }, { ratioCap: 1.1 }],
  "cispo-two-sided": [{}],
  sapo: [
    { temperaturePositive: 1, temperatureNegative: 1.05 },
    { temperaturePositive: 3, temperatureNegative: 0.4 },
  ],
  gspo: [{}],
  "gspo-token": [{ sequenceLogRatioMax: 10 }, { sequenceLogRatioMax: 0.05 }],
  gmpo: [{}],
  vespo: [
    { powerPositive: 2, decayPositive: 3, powerNegative: 3, decayNegative: 2 },
    { powerPositive: 0.5, decayPositive: 1, powerNegative: 0, decayNegative: 0.25 },
  ],
  reinforce: [{}],
  "clip-cov": [{ fraction: 1, lower: 0.1, upper: 2 }],
  "kl-cov": [
    { fraction: 2e-4, coefficient: 1 },
    { fraction: 0.3, coefficient: 0.1 },
  ],
  dppo: [
    { divergence: "tv", low: 0.2, high: 0.2, conditional: false, logRatioPenalty: 0 },
    { divergence: "tv", low: 0.05, high: 0.1, conditional: true, logRatioPenalty: 1e-3 },
    { divergence: "kl", low: 0.01, high: 0.02, conditional: true, logRatioPenalty: 0 },
    { divergence: "kl", low: 0.02, high: 0.01, conditional: false, logRatioPenalty: 0.1 },
  ],
  icepop: [
    { low: 0.2, high: 5 },
    { low: 0.8, high: 1.2 },
  ],
  kpop: [
    { limit: 0.1, logRatioPenalty: 0 },
    { limit: 0.01, logRatioPenalty: 1e-3 },
  ],
};

const SHAPES: readonly RandomBatchOptions[] = [
  {},
  { perSequence: true, drift: 0.2 },
  { dual: 0, drift: 1 },
  { dual: 1.5, drift: 0.8 },
];

const counted = ({ mask, logProbs }: Tokens) =>
  [...logProbs.keys()].filter((row) => mask?.[row] !== 0);

for (const { kind } of SURROGATES) {
  const formula = TEXTBOOK[kind];
  for (const parameters of SETTINGS[kind]) {
    const name = `${kind} ${JSON.stringify(parameters)}`;
    const valuesOf = (batch: Tokens, at = batch.logProbs) =>
      formula(at, batch, parameters as never);

    test(`${name}: values are the textbook's`, (t) => {
      for (const shape of SHAPES) {
        for (let seed = 0; seed < BATCHES; seed++) {
          const batch = randomBatch(seed, shape);
          const { values } = evaluate(kind, batch, parameters);
          assertClose(t, `seed ${seed}`, values, valuesOf(batch), TOLERANCES.engineRows);
        }
      }
    });

    test(`${name}: slopes are those of Σ weights · values`, (t) => {
      let [compared, skipped] = [0, 0];
      for (const shape of SHAPES) {
        for (let seed = 0; seed < BATCHES; seed++) {
          const batch = randomBatch(seed, shape);
          const rows = counted(batch);
          const lossAt = (x: Float64Array) => {
            const at = batch.logProbs.slice();
            rows.forEach((row, i) => {
              at[row] = x[i] as number;
            });
            const values = valuesOf(batch, at);
            return rows.reduce(
              (sum, r) => sum + (batch.weights[r] as number) * (values[r] as number),
              0,
            );
          };
          const own = Float64Array.from(rows, (row) => batch.logProbs[row] as number);
          const expected = finiteDifference(lossAt, own, { step: STEP });
          const { slopes } = evaluate(kind, batch, parameters);
          const isSmooth = smoothness(kind, batch, parameters);
          const smooth = rows.flatMap((row, i) => (isSmooth(row) ? [i] : []));
          compared += smooth.length;
          skipped += rows.length - smooth.length;
          const actual = rows.map((row) => slopes[row] as number);
          const elements = { elements: smooth };
          assertClose(t, `seed ${seed}`, actual, expected, TOLERANCES.finiteDifference, elements);
        }
      }
      t.true(compared > 20 * skipped, `${skipped} of ${compared} rows lie at a kink`);
    });
  }
}

/** For each row, whether no bound of its sequence begins or ceases to act within the steps of a difference. */
function smoothness(
  kind: SurrogateKind,
  batch: Tokens,
  parameters: object,
): (row: number) => boolean {
  const clipsAt = (step: number) => {
    const logProbs = batch.logProbs.map((own) => own + step);
    return evaluate(kind, { ...batch, logProbs }, parameters).clips;
  };
  const [below, above] = [clipsAt(-2 * STEP), clipsAt(2 * STEP)];
  const { offsets, logProbs, oldLogProbs } = batch;
  return (row) => {
    const drift = (logProbs[row] as number) - (oldLogProbs[row] as number);
    if (Math.abs(drift) < 2 * STEP) return false; // |ℓ − ℓ_old| of KL-Cov
    const s = offsets.findLastIndex((offset) => offset <= row);
    const [first, end] = [offsets[s] as number, offsets[s + 1] as number];
    return below.subarray(first, end).every((clip, i) => clip === above[first + i]);
  };
}
