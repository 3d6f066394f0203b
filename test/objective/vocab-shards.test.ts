/** A vocabulary spread over ranks: one exchange of states, then every rank has the loss and its own columns' gradients. */
import test from "ava";
import type { LogitsDType } from "../../lib/core/dtype.js";
import {
  add,
  backward,
  type Evaluation,
  finishTokenStats,
  type Logits,
  type LogitsGradients,
  mergeTokenStats,
  mul,
  type Objective,
  objective,
  type PairStatistics,
  PRESET_FORMS,
  PRESET_IDS,
  reduceTokens,
  type Scalar,
  sub,
  type Tensor,
  type TokenStates,
  type TokenStatsPartialOptions,
  tensor,
  tokenStats,
  tokenStatsGrad,
  tokenStatsPartial,
} from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { type BatchOptions, makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { logitsBatch, logitsTensor, valuesOf } from "./batches.js";

const VOCAB = 1100;
const CUT = 400;

type Shard = TokenStatsPartialOptions & { readonly maskedLogits: Logits };

/** A packed batch, its [rows] data, and its logits as two ranks hold them: copies, one sequence of columns each. */
function spread(options: BatchOptions = {}, dtype: LogitsDType = "float32", temperature = 1) {
  const batch = makeBatch({ vocabSize: VOCAB, seed: 5, ...options });
  const { sequences, tokens, rows, tokenIds, responseMask } = batch;
  const cuSeqlens = Array.from({ length: sequences + 1 }, (_, s) => s * tokens);
  const { oldLogProbs, refLogProbs, advantages } = batch;
  const rowData = { oldLogProbs, refLogProbs, advantages, responseMask, cuSeqlens };
  const whole = logitsBatch(batch, dtype);
  const part = (of: Logits, begin: number, end: number) => {
    const data = of.data as Float32Array;
    const columns = data.filter((_, i) => i % VOCAB >= begin && i % VOCAB < end);
    return logitsTensor(columns, [rows, end - begin], dtype);
  };
  const shards = [[0, CUT] as const, [CUT, VOCAB] as const].map(
    ([begin, end]): Shard => ({
      logits: part(whole.logits, begin, end),
      maskedLogits: part(whole.maskedLogits as Logits, begin, end),
      tokenIds,
      responseMask,
      temperature,
      vocabOffset: begin,
      vocabTotal: VOCAB,
    }),
  );
  const flat = (of: Logits | undefined) =>
    logitsTensor((of as Logits).data as Float32Array, [rows, VOCAB], dtype);
  const unsharded = {
    logits: flat(whole.logits),
    maskedLogits: flat(whole.maskedLogits),
    tokenIds,
  };
  return { shards, rowData, unsharded };
}

/** What every rank receives: the states of all ranks in rank order, by way of one flat array. */
function allGather(shards: readonly Shard[]): TokenStates[] {
  const sent = shards.map((shard) => tokenStatsPartial(shard).data);
  const { length } = sent[0] as Float64Array;
  const received = new Float64Array(sent.length * length);
  for (const [rank, states] of sent.entries()) received.set(states, rank * length);
  return sent.map((_, rank) =>
    tensor(received.subarray(rank * length, (rank + 1) * length), { shape: [12, length / 12] }),
  );
}

/** The part of a trainer that is this rank's. */
function step(
  loss: Objective,
  shard: Shard,
  gathered: readonly TokenStates[],
  rowData: ReturnType<typeof spread>["rowData"],
): { evaluation: Evaluation; gradients: LogitsGradients } {
  const states = mergeTokenStats(gathered);
  const statistics = finishTokenStats({ ...shard, states });
  const evaluation = loss.evaluate({ ...statistics, ...rowData }, { step: 3, seed: 1 });
  const { maskedBranch } = loss.spec;
  const gradients = tokenStatsGrad({ ...shard, states, gradients: evaluation, maskedBranch });
  return { evaluation, gradients };
}

/** The columns of two ranks' gradients side by side. */
function joined(parts: readonly (Tensor | undefined)[]): Float64Array {
  const values = parts.map((part) => ({ columns: part?.columns ?? 0, of: valuesOf(part) }));
  const rows = parts[0]?.rows ?? 0;
  return Float64Array.from(
    Array.from({ length: rows }, (_, row) =>
      values.flatMap(({ columns, of }) => [...of.subarray(row * columns, (row + 1) * columns)]),
    ).flat(),
  );
}

const EXACT = objective()
  .clip({ low: 0.2, high: 0.3, dual: 3 })
  .refKl({ coef: 0.01, estimator: "k3" })
  .perceptionKl({ coef: 0.02, estimator: "exact", exactLimit: null })
  .entropy({ coef: 0.03, maskedCoef: 0.05, estimator: "exact" })
  .maskedBranch("differentiable")
  .build();

for (const dtype of ["float32", "bfloat16", "float16"] as const) {
  test(`PAPO with exact KL and entropies on two ranks of ${dtype} is PAPO on one`, (t) => {
    const { shards, rowData, unsharded } = spread({}, dtype);
    const expected = EXACT.evaluate({ ...unsharded, ...rowData });
    const gathered = allGather(shards);
    const ranks = shards.map((shard) => step(EXACT, shard, gathered, rowData));
    const [first, second] = ranks.map(({ evaluation }) => evaluation) as [Evaluation, Evaluation];
    t.is(first.loss, second.loss, "every rank has the same loss, to the bit");
    assertClose(t, "loss", first.loss, expected.loss, TOLERANCES.engineStates);
    for (const [name, value] of Object.entries(expected.terms)) {
      const term = first.terms[name as keyof typeof first.terms];
      assertClose(t, name, term as number, value as number, TOLERANCES.engineStates);
      t.not(value, 0, "every term takes part");
    }
    for (const name of ["gradEntropy", "gradMaskedEntropy", "gradKl", "gradLogProbs"] as const) {
      t.true(
        valuesOf(first[name]).some((value) => value !== 0),
        `${name} takes part`,
      );
    }
    for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
      const actual = joined(ranks.map(({ gradients }) => gradients[name]));
      assertClose(t, name, actual, valuesOf(expected[name]), GRADIENT_TOLERANCES[dtype]);
      t.true(actual.some((value) => value !== 0));
    }
  });
}

for (const id of PRESET_IDS) {
  for (const form of PRESET_FORMS) {
    test(`${id} in the ${form} form on two ranks is ${id} on one`, (t) => {
      const loss = objective(id, { form }).build();
      const { temperature } = loss.spec;
      const { shards, rowData, unsharded } = spread(
        { distribution: "far" },
        "float32",
        temperature,
      );
      const expected = loss.evaluate({ ...unsharded, ...rowData }, { step: 3, seed: 1 });
      const gathered = allGather(shards);
      const ranks = shards.map((shard) => step(loss, shard, gathered, rowData));
      for (const { evaluation } of ranks) {
        assertClose(t, "loss", evaluation.loss, expected.loss, TOLERANCES.engineStates);
      }
      for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
        const parts = ranks.map(({ gradients }) => gradients[name]);
        if (expected[name] === undefined) t.deepEqual(parts, [undefined, undefined]);
        else {
          const all = valuesOf(expected[name]);
          assertClose(t, name, joined(parts), all, GRADIENT_TOLERANCES.float32);
        }
      }
    });
  }
}

/** A loss of a user's own, in every statistic. */
function own(s: PairStatistics): Scalar {
  const differences = sub(mul(s.kl, s.entropy), mul(s.reverseKl, s.maskedEntropy));
  return reduceTokens(add(differences, mul(s.logProbs, s.maskedLogProbs)), { reduction: "sum" });
}

test("a function of one's own on the tape leaves each rank the gradients of its columns", (t) => {
  const { shards, unsharded } = spread({ full: true });
  const alias = <B extends { logits: Logits; maskedLogits: Logits }>(of: B): B => ({
    ...of,
    logits: of.logits.alias({ requiresGrad: true }),
    maskedLogits: of.maskedLogits.alias({ requiresGrad: true }),
  });
  const whole = alias(unsharded);
  backward(own(tokenStats(whole)));
  const states = mergeTokenStats(allGather(shards));
  const ranks = shards.map((shard) => {
    const mine = alias(shard);
    backward(own(finishTokenStats({ ...mine, states })));
    return mine;
  });
  for (const name of ["logits", "maskedLogits"] as const) {
    const actual = joined(ranks.map((rank) => rank[name].grad));
    assertClose(t, name, actual, valuesOf(whole[name].grad), GRADIENT_TOLERANCES.float32);
  }
});
