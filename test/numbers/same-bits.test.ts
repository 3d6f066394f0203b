/** However a batch is handed over, every row's values and gradients have the same bits; only sums over rows may round. */
import test from "ava";
import {
  type Denominators,
  type Evaluation,
  type Logits,
  type LogitsBatch,
  type Objective,
  objective,
  type Tensor,
  toBfloat16,
  toFloat16,
} from "../../lib/index.js";
import { logitsTensor } from "../objective/batches.js";
import { type Batch, DISTRIBUTIONS, type DistributionName, makeBatch } from "../support/inputs.js";
import { bytesOf } from "../support/ulps.js";

const DTYPES = ["float32", "bfloat16", "float16"] as const;
type DType = (typeof DTYPES)[number];
type Elements = Float32Array | Uint16Array | Float16Array;

/** An odd vocabulary: a row begins anywhere within a vector, and ends anywhere. */
const VOCAB = 1027;
const SIZE = { sequences: 5, tokens: 4, vocabSize: VOCAB };

const OBJECTIVES: Readonly<Record<string, Objective>> = {
  authors: objective("papo-g-7b").build(),
  corrected: objective("papo-g-7b", { form: "corrected" }).build(),
  // Another surrogate: statistics, algebra in TypeScript, gradients.
  composed: objective("papo-g-7b", { form: "corrected" }).surrogate("cispo").build(),
};

function stored(data: Float32Array, dtype: DType): Elements {
  if (dtype === "float32") return data.slice();
  return dtype === "bfloat16" ? toBfloat16(data) : toFloat16(data);
}

/** Rows of `batch`, in memory that begins `offset` elements into an array and whose rows are `pitch` apart. */
function rowsOf(
  batch: Batch,
  dtype: DType,
  rows: readonly number[],
  { offset = 0, padding = 0 } = {},
): LogitsBatch {
  const pitch = VOCAB + padding;
  const logits = (of: Float32Array): Logits => {
    const spread = new Float32Array(offset + rows.length * pitch).fill(Number.NaN);
    rows.forEach((row, i) => {
      spread.set(of.subarray(row * VOCAB, (row + 1) * VOCAB), offset + i * pitch);
    });
    const data = stored(spread, dtype).subarray(offset);
    return logitsTensor(data, [rows.length / SIZE.tokens, SIZE.tokens, VOCAB], dtype, pitch);
  };
  const pick = <T extends Float64Array | Int32Array>(of: T) =>
    of.filter((_, row) => rows.includes(row)) as T;
  return {
    logits: logits(batch.logits),
    maskedLogits: logits(batch.maskedLogits),
    tokenIds: pick(batch.tokenIds),
    oldLogProbs: pick(batch.oldLogProbs),
    refLogProbs: pick(batch.refLogProbs),
    advantages: pick(batch.advantages),
    responseMask: pick(batch.responseMask),
  };
}

/** What a row gives, by name: its float64 values, and its gradients as they are stored, as bytes. */
type RowBytes = ReadonlyMap<string, Buffer>;

function rowBytes(evaluation: Evaluation, row: number, into: Map<string, Buffer>): void {
  const put = (name: string, of: Tensor) => {
    const columns = of.shape.length === 3 ? VOCAB : 1;
    const at = row * (columns === 1 ? 1 : of.rowPitch);
    into.set(name, bytesOf((of.data as Float64Array).slice(at, at + columns)));
  };
  for (const [name, of] of Object.entries(evaluation.tokens ?? {})) put(name, of as Tensor);
  for (const [name, of] of Object.entries(evaluation)) {
    if (name.startsWith("grad")) put(name, of as Tensor);
  }
}

function bytesOfRows(evaluation: Evaluation, count: number): RowBytes[] {
  return Array.from({ length: count }, (_, row) => {
    const bytes = new Map<string, Buffer>();
    rowBytes(evaluation, row, bytes);
    return bytes;
  });
}

const ALL = Array.from({ length: SIZE.sequences * SIZE.tokens }, (_, row) => row);
const PER_TOKEN = { perToken: true } as const;

interface Given {
  readonly batch: Batch;
  readonly dtype: DType;
  readonly loss: Objective;
}

const WAYS: Readonly<Record<string, (given: Given) => Promise<Evaluation>>> = {
  again: async ({ batch, dtype, loss }) => loss.evaluate(rowsOf(batch, dtype, ALL), PER_TOKEN),
  "off the event loop": async ({ batch, dtype, loss }) =>
    loss.evaluateAsync(rowsOf(batch, dtype, ALL), PER_TOKEN),
  bound: async ({ batch, dtype, loss }) => {
    const step = loss.bind(rowsOf(batch, dtype, ALL));
    step.run();
    return step.evaluation(PER_TOKEN);
  },
  "in place": async ({ batch, dtype, loss }) =>
    loss.evaluate(rowsOf(batch, dtype, ALL), { ...PER_TOKEN, inPlace: true }),
  "one element into an array": async ({ batch, dtype, loss }) =>
    loss.evaluate(rowsOf(batch, dtype, ALL, { offset: 1 }), PER_TOKEN),
  "rows seven elements apart": async ({ batch, dtype, loss }) =>
    loss.evaluate(rowsOf(batch, dtype, ALL, { offset: 3, padding: 7 }), PER_TOKEN),
};

function denominatorsOf(batch: Batch): Denominators {
  const tokens = batch.responseMask.reduce((sum, one) => sum + one, 0);
  return { tokens, sequences: SIZE.sequences, maxLength: SIZE.tokens };
}

function differing(got: readonly RowBytes[], want: readonly RowBytes[]): string[] {
  return want.flatMap((row, index) =>
    [...row].flatMap(([name, bytes]) =>
      got[index]?.get(name)?.equals(bytes) === true ? [] : [`${name}[${index}]`],
    ),
  );
}

for (const [name, loss] of Object.entries(OBJECTIVES)) {
  if (name === "composed") continue;
  for (const dtype of DTYPES) {
    test(`${name} on ${dtype}: rows have the same bits however the batch is evaluated`, async (t) => {
      for (const distribution of DISTRIBUTIONS) {
        const batch = makeBatch({ ...SIZE, seed: 3, distribution });
        const expected = loss.evaluate(rowsOf(batch, dtype, ALL), PER_TOKEN);
        const rows = bytesOfRows(expected, ALL.length);
        t.true((rows[0]?.size ?? 0) > 8);
        for (const [way, evaluated] of Object.entries(WAYS)) {
          const evaluation = await evaluated({ batch, dtype, loss });
          t.deepEqual(differing(bytesOfRows(evaluation, ALL.length), rows), [], way);
          t.is(evaluation.loss, expected.loss, way);
          t.deepEqual(evaluation.terms, expected.terms, way);
        }
      }
    });
  }
}

/** Micro-batches of some sequences, with the whole batch's denominators. */
function parts(given: Given, cut: readonly (readonly number[])[]): [Evaluation, RowBytes[]][] {
  const denominators = denominatorsOf(given.batch);
  return cut.map((sequences) => {
    const rows = ALL.filter((row) => sequences.includes(Math.floor(row / SIZE.tokens)));
    const batch = rowsOf(given.batch, given.dtype, rows);
    const evaluation = given.loss.evaluate(batch, { ...PER_TOKEN, denominators });
    return [evaluation, bytesOfRows(evaluation, rows.length)];
  });
}

const CUTS = [
  [[0], [1], [2], [3], [4]],
  [[0, 1, 2], [3], [4]],
];

/**
 * Two sums of n numbers in different orders differ by at most 2 n u Σ|x|, u = 2^-53: each addition rounds by u of a
 * partial sum, and none is larger than Σ|x|.
 */
function reassociation(values: Float64Array, weight: number): number {
  const magnitudes = values.reduce((sum, value) => sum + Math.abs(value), 0);
  return 2 * values.length * 2 ** -53 * magnitudes * weight;
}

for (const [name, loss] of Object.entries(OBJECTIVES)) {
  test(`${name}: micro-batches with stated denominators have the bits of the whole, row by row`, (t) => {
    const names: DistributionName[] = ["plain", "near", "far", "peaked", "holes"];
    for (const distribution of names) {
      const batch = makeBatch({ ...SIZE, seed: 8, distribution });
      const denominators = denominatorsOf(batch);
      const given = { batch, dtype: "float32", loss } as const;
      const options = { ...PER_TOKEN, denominators };
      const whole = loss.evaluate(rowsOf(batch, "float32", ALL), options);
      const rows = bytesOfRows(whole, ALL.length);
      for (const cut of CUTS) {
        const cutUp = parts(given, cut);
        t.deepEqual(
          differing(
            cutUp.flatMap(([, of]) => of),
            rows,
          ),
          [],
          distribution,
        );
        // Sums over rows are taken in another order: within rounding of the sum of magnitudes.
        for (const term of ["surrogate", "refKl", "perceptionKl"] as const) {
          const sum = cutUp.reduce((total, [{ terms }]) => total + terms[term], 0);
          const values = whole.tokens?.[term]?.data as Float64Array;
          const most = reassociation(values, 1 / (denominators.tokens as number));
          t.true(Math.abs(sum - whole.terms[term]) <= most, `${term} of ${distribution}`);
        }
      }
    }
  });
}
